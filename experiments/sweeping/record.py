"""The folder of a sweep: what was asked for, and a run folder for each cell."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.common.failures import ConfigError
from experiments.common.runs import Lines, write_json, write_whole
from experiments.config import Experiment
from experiments.config.file import check
from experiments.config.toml import same, to_toml
from experiments.sweeping.asked import Grid
from experiments.sweeping.grid import Cell, cells

FORMAT = "jaxnn sweep 1"


class Sweep(NamedTuple):
    """A sweep in its folder. `by` is the metric that was asked for, if any."""

    folder: Path
    grid: Grid
    by: str | None
    cells: list[Cell]

    def place(self, cell: Cell) -> Path:
        """The run folder of a cell."""
        return self.folder / cell.name

    def metrics(self, cell: Cell) -> list[dict[str, Any]]:
        """A line for each epoch of a cell so far."""
        return Lines(self.place(cell) / "metrics.jsonl").read()

    def diverged(self) -> dict[str, int]:
        """The cells that came to nan or infinity, and in which epoch."""
        path = self.folder / "diverged.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def set_diverged(self, cell: Cell, epoch: int) -> None:
        """Note that a cell came to nan or infinity in that epoch."""
        write_json(self.folder / "diverged.json", {**self.diverged(), cell.name: epoch})

    def over(self, cell: Cell) -> bool:
        """Whether nothing is left to train of a cell."""
        finished = (self.place(cell) / "parameters.safetensors").exists()
        return finished or cell.name in self.diverged()


def write(sweep: Sweep, base: Experiment) -> None:
    """Write down what was asked for: enough to go on with."""
    asked = {"by": sweep.by, "grid": sweep.grid, "base": dataclasses.asdict(base)}
    write_json(sweep.folder / "sweep.json", {"format": FORMAT, **asked})


def make_folders(sweep: Sweep) -> None:
    """The folder and the config of every cell. Raises ConfigError for a config that has changed."""
    for cell in sweep.cells:
        path, text = sweep.place(cell) / "config.toml", to_toml(cell.experiment)
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            write_whole(path, text.encode())
        elif not same(path.read_text(encoding="utf-8"), text):
            raise ConfigError(
                f"{path}: is not what {sweep.folder / 'sweep.json'} says of this cell; put it "
                "back, or start a new sweep"
            )


def open_sweep(folder: Path) -> Sweep:
    """Read the folder of a sweep. Raises ConfigError if it is none, or was tampered with."""
    path = folder / "sweep.json"
    try:
        asked = json.loads(path.read_text(encoding="utf-8"))
        if asked["format"] != FORMAT:
            raise ValueError(f"expected format '{FORMAT}', got '{asked['format']}'")
        grid, by = dict(asked["grid"]), asked["by"]
        base = check(asked["base"], f"{path}: base")
        return Sweep(folder, grid, by, cells(base, grid))
    except FileNotFoundError:
        raise ConfigError(f"{folder}: not the folder of a sweep: it has no sweep.json") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read as a sweep: {error}") from None


def settings(sweep: Sweep) -> list[list[Cell]]:
    """The cells that differ in nothing but the seed, together; in the order of the first ones."""
    found: dict[Experiment, list[Cell]] = {}
    for cell in sweep.cells:
        found.setdefault(dataclasses.replace(cell.experiment, seed=0), []).append(cell)
    return list(found.values())


def labels(cells: Sequence[Cell]) -> str:
    """How a group of cells is called."""
    return cells[0].name if len(cells) == 1 else f"{cells[0].name} and {len(cells) - 1} more"
