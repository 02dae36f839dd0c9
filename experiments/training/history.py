"""What the metrics so far decide: the best epoch, whether to stop, how far the rate has come down.

All are functions of the metrics alone, so that a run taken up again decides as it would have.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.config import Plateau, Train

SMALLER_IS_BETTER = ("loss", "perplexity", "bits_per_character", "mae")


def watched(train: Train, part: str, metrics: dict[str, Any]) -> float:
    """The number that decides in an epoch's metrics: smaller is better, nan is worst.

    `part` is "validation", or "train" where nothing is held back for validation. An epoch of a
    sample does not score the training part: there the objective stands in.
    """
    value = metrics.get(f"{part}_{train.monitor}", metrics["objective"])
    larger = f"{part}_{train.monitor}" in metrics and train.monitor not in SMALLER_IS_BETTER
    number = -float(value) if larger else float(value)
    return number if number == number else float("inf")


def selection(line: Mapping[str, Any]) -> str:
    """The part that epochs are chosen by, told by the metrics of one."""
    return "validation" if "validation_loss" in line else "train"


def best(values: Sequence[float]) -> int:
    """The index of the smallest, the first of equals."""
    return min(range(len(values)), key=values.__getitem__)


def ended(values: Sequence[float], patience: int | None) -> bool:
    """Whether so many epochs in a row were no better than the best before them."""
    return patience is not None and len(values) > 0 and len(values) - 1 - best(values) >= patience


def rate(values: Sequence[float], schedule: Any) -> float:
    """What a plateau schedule multiplies the learning rate by in the next epoch; else 1.

    Whenever `patience` epochs in a row bring nothing better than the best so far, the rate is
    multiplied by `factor`, and the count begins again.
    """
    if not isinstance(schedule, Plateau):
        return 1.0
    found, lowest, waited = 1.0, float("inf"), 0
    for value in values:
        waited = 0 if value < lowest else waited + 1
        lowest = min(lowest, value)
        if waited == schedule.patience:
            found, waited = max(found * schedule.factor, schedule.minimum), 0
    return found
