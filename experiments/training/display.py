"""What a run says while it trains: a line that moves in a terminal, nothing in a pipe, or JSON.

At the end there is a table; a run from Python is silent then, too.
"""

import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.progress import Progress

Style = Literal["live", "quiet", "json", "silent"]


def style(words: Any) -> Style:
    """The style that the flags --json and --quiet ask for; a terminal is live by itself."""
    if words.json:
        return "json"
    return "live" if sys.stdout.isatty() and not words.quiet else "quiet"


class Display:
    """Shows epochs as they come, and at the end a table and the folder."""

    def __init__(self, how: Style, name: str, done: int, total: int) -> None:
        self._how = how
        self.console = Console(width=None if how == "live" else 100)
        self._bar = progress(self.console) if how == "live" else None
        if self._bar:
            self._bar.add_task(name, total=total, completed=done, note="")

    def __enter__(self) -> "Display":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def epoch(self, metrics: dict[str, Any], speed: float) -> None:
        """Show the metrics of an epoch, trained at `speed` examples a second."""
        if self._how == "json":
            print(json.dumps({**metrics, "examples_per_second": round(speed)}), flush=True)
        if self._bar:
            shown = f"{note(metrics)}  {speed:,.0f} examples/s"
            self._bar.update(self._bar.task_ids[0], advance=1, note=shown)

    def end(self, metrics: dict[str, Any], folder: Any, seconds: float, words: str = "") -> None:
        """Show the table of the last or best epoch, and where everything lies."""
        if self._how == "silent":
            return
        if self._how == "json":
            print(json.dumps({"folder": str(folder), "seconds": round(seconds, 1)}), flush=True)
            return
        self.console.print(table(metrics))
        if words:
            self.console.print(words, highlight=False)
        self.console.print(f"{folder}  ({seconds:.1f} s)", highlight=False, soft_wrap=True)


def progress(console: Console) -> "Progress":
    """Lines, one for each task, with the epochs done, a note, and the time left."""
    from rich.progress import (  # here, because a pipe has no use for it
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def note(metrics: dict[str, Any]) -> str:
    """Loss and score of the part that training should be good at."""
    metrics = numbers(metrics)
    part = next(p for p in ("validation", "test") if f"{p}_loss" in metrics)
    kind = score_of(metrics)
    return f"{part} loss {metrics[f'{part}_loss']:.4f}  {shown(kind, metrics[f'{part}_{kind}'])}"


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """With nan and infinity, which JSON writes as text, as the numbers they are."""
    return {name: float(value) for name, value in metrics.items()}


def score_of(metrics: dict[str, Any]) -> str:
    """ "accuracy", or "r2" where numbers are predicted."""
    return "accuracy" if "test_accuracy" in metrics else "r2"


def shown(kind: str, value: float) -> str:
    """A score as a reader wants it."""
    return f"{value:.2%}" if kind == "accuracy" else f"{value:.4f}"


def table(metrics: dict[str, Any]) -> Table:
    """Loss and score of each part."""
    metrics = numbers(metrics)
    kind = score_of(metrics)
    found = Table("", "loss", {"accuracy": "accuracy", "r2": "R2"}[kind], box=None)
    for part in ("train", "validation", "test"):
        if f"{part}_loss" in metrics:
            score = shown(kind, metrics[f"{part}_{kind}"])
            found.add_row(part, f"{metrics[f'{part}_loss']:.4f}", score)
    return found
