"""What the metrics so far decide."""

import pytest

from experiments.config import ConstantRate, Plateau, Train
from experiments.training import history

TRAIN = Train(epochs=9, batch_size=1, lr=0.1)


def test_the_best_is_the_first_of_equals():
    assert history.best([3.0, 1.0, 2.0, 1.0]) == 1


@pytest.mark.parametrize(
    ("values", "patience", "over"),
    [
        ([], 1, False),
        ([1.0], 1, False),
        ([1.0, 1.0], 1, True),
        ([1.0, 2.0, 0.5], 2, False),
        ([1.0, 2.0, 3.0], 2, True),
        ([1.0, 2.0, 3.0], None, False),
        ([float("inf"), float("inf")], 1, True),
    ],
)
def test_patience_counts_epochs_since_the_best(values: list[float], patience: int, over: bool):
    assert history.ended(values, patience) is over


def test_a_plateau_brings_the_rate_down_again_and_again_but_not_below_its_minimum():
    schedule = Plateau(factor=0.5, patience=2, minimum=0.3)
    values = [5.0, 4.0, 4.0, 4.5, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    rates = [history.rate(values[:n], schedule) for n in range(len(values) + 1)]
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]
    assert history.rate(values, ConstantRate()) == 1.0


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_plateau_that_does_not_end_is_cut_every_so_many_epochs(patience: int):
    """After a cut the count begins again, whether anything got better or not."""
    schedule = Plateau(factor=0.5, patience=patience, minimum=1e-3)
    values = [2.0, 1.0, *[1.0, 1.5, 3.0, 1.0] * 2]  # the best is at index 1, and equalled later
    rates = [history.rate(values[:n], schedule) for n in range(len(values) + 1)]
    assert rates == [0.5 ** (max(n - 2, 0) // patience) for n in range(len(values) + 1)]


def test_what_gets_better_begins_the_count_again_and_keeps_the_cuts():
    schedule = Plateau(factor=0.5, patience=2, minimum=1e-3)
    values = [4.0, 4.0, 3.0, 3.0, 3.0, 3.5, 2.0, 2.0, 2.5]
    rates = [history.rate(values[:n], schedule) for n in range(1, len(values) + 1)]
    assert rates == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_what_is_watched_is_small_where_it_is_good():
    metrics = {"objective": 3.0, "train_loss": 2.0, "validation_loss": 1.0, "train_accuracy": 0.9}
    accuracy = Train(epochs=9, batch_size=1, lr=0.1, monitor="accuracy")
    assert history.watched(TRAIN, "validation", metrics) == 1.0
    assert history.watched(TRAIN, "train", metrics) == 2.0
    assert history.watched(accuracy, "train", metrics) == -0.9
    assert history.watched(TRAIN, "train", {"objective": 3.0}) == 3.0
    assert history.watched(TRAIN, "train", {"objective": 3.0, "train_loss": "nan"}) == float("inf")
