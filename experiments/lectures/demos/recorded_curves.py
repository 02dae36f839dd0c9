"""The curves recorded for chapter 3 of Nielsen's book, trained again and laid over the recorded.

Takes some eleven minutes on two cores. Where costs part by more than 1e-9, the training is done
once more with every initial parameter nudged to the next float64. If those two trainings of our own
part at the same pace, rounding decides where training goes, and no two programs could agree.

So it is for three of the eleven runs. With all 50,000 images, eta = 0.5 and large weights, the
rounding of the first epoch, 1e-14 to 1e-13, grows past 1e-9 in the third (without penalty) or
fourth epoch (with it); with eta = 2.5, the difference of a nudged start is 2e-10 of the parameters'
norm after 100 mini-batches and 5% of it after 200. The others agree to 3e-13 in every epoch, and in
every number of right answers.
"""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from experiments.common.plots import save
from experiments.common.runs import write_json
from experiments.lectures.recorded.agreement import (
    TOLERANCE,
    as_recorded,
    cost_difference,
    count_difference,
    epochs_within,
)
from experiments.lectures.recorded.files import Curves, recorded
from experiments.lectures.recorded.follow import curves, follow
from experiments.lectures.recorded.plot import draw_curves
from experiments.lectures.recorded.runs import RUNS, Run


class Outcome(NamedTuple):
    """A run: recorded, reproduced, and where those part, the relative difference (epochs,) of the
    reproduced costs from those of a nudged start. Seconds are those of the one training."""

    expected: Curves
    found: Curves
    apart: np.ndarray | None
    seconds: float


def reproduce(run: Run, console: Console) -> Outcome:
    """Train as recorded. Raises DataError where the data are missing."""
    expected, started, apart = recorded(run), time.perf_counter(), None
    found = _train(run, console, nudged=False)
    seconds = time.perf_counter() - started
    if (cost_difference(found, expected) > TOLERANCE).any():
        nudged = _train(run, console, nudged=True)
        apart = cost_difference(nudged, as_recorded(found, expected))
    return Outcome(expected, found, apart, seconds)


def _train(run: Run, console: Console, *, nudged: bool) -> Curves:
    name = f"{run.name}, nudged" if nudged else run.name
    epochs = follow(run, nudged=nudged)
    return curves(track(epochs, name, run.epochs, console=console))


def table(outcomes: dict[str, Outcome]) -> Table:
    """A row for each run: the largest relative difference of the costs, and for how many epochs
    they stay within 1e-9 of the recorded ones and of a nudged start's, and the answers equal."""
    shown = Table(box=None)
    within = f"within\n{TOLERANCE:g}"
    for title in ("run", "cost off\nby", within, f"nudged\n{within}", "answers\nequal", "seconds"):
        shown.add_column(title, no_wrap=True)
    for name, (expected, found, apart, seconds) in outcomes.items():
        costs, counts = cost_difference(found, expected), count_difference(found, expected)
        shown.add_row(
            name,
            f"{costs.max():.1e}" if costs.size else "",
            _epochs(costs, TOLERANCE),
            "" if apart is None else _epochs(apart, TOLERANCE),
            _epochs(counts, 0),
            f"{seconds:.0f}",
        )
    return shown


def _epochs(differences: np.ndarray, tolerance: float) -> str:
    if not differences.size:
        return ""
    return f"{epochs_within(differences, tolerance)} of {len(differences)}"


def run(folder: Path) -> None:
    """Print the table; write a plot and the reproduced numbers of each run into the folder."""
    console, outcomes = Console(width=100), {}
    for name, each in RUNS.items():
        outcomes[name] = reproduce(each, console)
        expected, found, apart, _ = outcomes[name]
        save(draw_curves(each, expected, found, apart), folder / f"{name}.png")
        numbers = {part: curve.tolist() for part, curve in found._asdict().items()}
        write_json(folder / f"{name}.json", numbers)
    console.print(table(outcomes))
