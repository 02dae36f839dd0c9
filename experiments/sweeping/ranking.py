"""The cells of a sweep by how well they did, and settings by their mean over seeds."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from experiments.common.failures import ConfigError, did_you_mean
from experiments.sweeping.grid import Cell
from experiments.sweeping.record import Sweep, settings
from experiments.training import history

PARTS = ("train", "validation", "test")


class Metric(NamedTuple):
    """What the table is ranked by: a score of a part."""

    part: str
    name: str

    @property
    def key(self) -> str:
        """Its name in the metrics of a run."""
        return f"{self.part}_{self.name}"

    def badness(self, value: float) -> float:
        """Smaller is better, nan is worst."""
        number = value if self.name in history.SMALLER_IS_BETTER else -value
        return number if number == number else math.inf


class Result(NamedTuple):
    """What became of a cell: epochs trained, metrics of the epoch it is left with, the best score.

    `metrics` are empty where not one epoch was trained.
    """

    cell: Cell
    epochs: int
    diverged: bool
    metrics: dict[str, Any]
    best: float

    def value(self, key: str) -> float:
        """A metric as a number, nan if it is not there."""
        return float(self.metrics.get(key, math.nan))


class Setting(NamedTuple):
    """Results that differ in nothing but the seed."""

    results: list[Result]

    def spread(self, key: str) -> tuple[float, float]:
        """(mean, standard deviation) over those that did not diverge; nan where too few are."""
        values = [r.best if key == "best" else r.value(key) for r in self.results if not r.diverged]
        if not values:
            return math.nan, math.nan
        mean, n = math.fsum(values) / len(values), len(values)
        squares = sum((value - mean) ** 2 for value in values)
        return mean, math.sqrt(squares / (n - 1)) if n > 1 else math.nan


def metric(asked: str | None, cells: Sequence[Cell], classes: bool | None = None) -> Metric:
    """What to rank by: `asked`, such as "accuracy" or "test_loss"; else what the config monitors.

    A name without a part means the validation part or, where a cell holds none back, the test part.
    `classes` says whether classes are predicted, once that is known. Raises ConfigError for a
    metric that some cell will not have.
    """
    held = all(cell.experiment.data.validation_fraction > 0 for cell in cells)
    part, name = "validation" if held else "test", asked or cells[0].experiment.train.monitor
    for given in PARTS:
        if name.startswith(f"{given}_"):
            part, name = given, name.removeprefix(f"{given}_")
    known = ["loss", "accuracy" if classes is not False else "", "r2" if not classes else ""]
    known = [word for word in known if word]
    known += [m for m in cells[0].experiment.train.metrics if _all_have(m, cells)]
    if name not in known and asked is None:
        name = "loss"
    if name not in known:
        hint = did_you_mean(name, known) or ","
        raise ConfigError(f"--by: unknown metric '{asked}'{hint} known: {', '.join(known)}")
    if part == "validation" and not held:
        raise ConfigError(
            f"--by {asked}: nothing is held back for it; set data.validation_fraction, such as 0.2"
        )
    return Metric(part, name)


def _all_have(name: Any, cells: Sequence[Cell]) -> bool:
    return all(name in cell.experiment.train.metrics for cell in cells)


def score_name(metric: Metric, lines: dict[str, Any]) -> str:
    """The score shown beside the loss."""
    if metric.name != "loss":
        return metric.name
    return "accuracy" if f"{metric.part}_accuracy" in lines else "r2"


def results(sweep: Sweep, metric: Metric) -> list[Result]:
    """The cells, the best first; those that diverged or never began come last."""
    diverged = sweep.diverged()
    found = [_result(sweep, cell, metric, cell.name in diverged) for cell in sweep.cells]
    return sorted(found, key=lambda r: (r.diverged, metric.badness(r.value(metric.key))))


def _result(sweep: Sweep, cell: Cell, metric: Metric, diverged: bool) -> Result:
    lines, train = sweep.metrics(cell), cell.experiment.train
    if not lines:
        return Result(cell, 0, diverged, {}, math.nan)
    chosen = lines[-1]
    if train.patience is not None:
        part = "validation" if cell.experiment.data.validation_fraction > 0 else "train"
        chosen = lines[history.best([history.watched(train, part, line) for line in lines])]
    score = Metric(metric.part, score_name(metric, lines[-1]))
    values = [float(line[score.key]) for line in lines if score.key in line]
    best = min(values, key=score.badness, default=math.nan)
    return Result(cell, len(lines), diverged, chosen, best)


def ranked_settings(sweep: Sweep, found: Sequence[Result], metric: Metric) -> list[Setting]:
    """The settings by their mean over seeds, those where a seed diverged behind all others."""
    by_name = {result.cell.name: result for result in found}
    whole = [Setting([by_name[cell.name] for cell in group]) for group in settings(sweep)]

    def place(setting: Setting) -> tuple[bool, float]:
        lost = any(result.diverged for result in setting.results)
        return lost, metric.badness(setting.spread(metric.key)[0])

    return sorted(whole, key=place)
