"""What a sweep says while it trains: a line for each group, nothing in a pipe, or JSON."""

import json
from typing import Any

from rich.console import Console

from experiments.training.display import Style, note, numbers, progress


class Display:
    """Shows the epochs of the groups as they come."""

    def __init__(self, how: Style) -> None:
        self.how = how
        self.console = Console(width=None if how == "live" else 200)
        self._bar = progress(self.console) if how == "live" else None
        self._task: Any = None

    def __enter__(self) -> "Display":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, words: str) -> None:
        """A line for people."""
        if self.how in ("live", "quiet"):
            self.console.print(words, highlight=False, soft_wrap=True)

    def group(self, name: str, done: int, total: int) -> None:
        """Begin with a group of cells."""
        if self._bar:
            self._task = self._bar.add_task(name, total=total, completed=done, note="")

    def epoch(self, lines: dict[str, dict[str, Any]], speed: float) -> None:
        """Show the metrics of an epoch, by cell, trained at `speed` examples a second."""
        if self.how == "json":
            for name, line in lines.items():
                print(json.dumps({"run": name, **line}), flush=True)
        if self._bar:
            self._bar.update(self._task, advance=1, note=_best(lines, speed))


def _best(lines: dict[str, dict[str, Any]], speed: float) -> str:
    if not lines:
        return ""
    best = min(
        map(numbers, lines.values()),
        key=lambda line: line.get("validation_loss", line["test_loss"]),
    )
    return f"best {note(best)}  {speed:,.0f} examples/s"
