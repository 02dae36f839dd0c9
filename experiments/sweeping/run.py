"""A sweep from its first word to its table."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.config import Experiment
from experiments.sweeping import record
from experiments.sweeping.asked import Grid
from experiments.sweeping.display import Display
from experiments.sweeping.grid import Cell, cells
from experiments.sweeping.groups import groups
from experiments.sweeping.ranking import metric
from experiments.sweeping.record import Sweep
from experiments.sweeping.sources import Sources
from experiments.sweeping.table import show
from experiments.sweeping.train import train
from experiments.training.display import style


def run(folder: Path, base: Experiment, grid: Grid, own: argparse.Namespace) -> int:
    """Train every cell of the grid into the folder, show the table, and return 0.

    `own` has the flags `by`, `every`, `json` and `quiet`. Raises ConfigError, before anything is
    written, if a network does not fit its data.
    """
    sweep = Sweep(folder, grid, own.by, cells(base, grid))
    return _train(sweep, own, base)


def resume(sweep: Sweep, own: argparse.Namespace) -> int:
    """Train what is left of a sweep, show the table, and return 0; `own` as for `run`."""
    return _train(sweep, own)


def _train(sweep: Sweep, own: argparse.Namespace, base: Experiment | None = None) -> int:
    started, sources, alike = time.perf_counter(), Sources(), groups(sweep.cells)
    chosen = metric(sweep.by, sweep.cells, sources.check(sweep.cells))
    if base is not None:
        record.write(sweep, base)
    record.make_folders(sweep)
    display = Display(style(own))
    display.say(_announced([group for group in alike if not all(map(sweep.over, group))]))
    train(sweep, sources, own.every, display)
    show(sweep, chosen, display, time.perf_counter() - started)
    return 0


def _announced(groups: Sequence[Sequence[Cell]]) -> str:
    total, count = sum(map(len, groups)), len(groups)
    if total < 2:
        return f"{total or 'no'} cell to train"
    how = "one after the other" if total == count else "together"
    return f"{total} cells to train, {how}{f' in {count} groups' if 1 < count < total else ''}"
