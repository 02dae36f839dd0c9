"""Whole epochs: every contender trains the same network, and a wrong one is found."""

import pytest

from experiments.bench.method import race
from experiments.bench.workload import Case, Contender, Settings
from experiments.bench.workloads import mlp
from experiments.common.failures import Failure

QUICK = Settings(quick=True)


def small(*contenders):
    return Case("5-4-3", mlp.draw((5, 4, 3), 2, 12), contenders, 1e-4)


def test_all_contenders_train_the_same_network():
    outcome = race(small(*mlp.contenders()), QUICK)
    for row in outcome.rows:
        assert row.wall or row.name == "torch, eager"
    ours, by_grad = (outcome.figure(role, "temp MB") for role in ("ours", "idiomatic"))
    assert ours
    assert by_grad


def test_a_loss_that_is_one_percent_off_is_found():
    ours, _, strongest, *_ = mlp.contenders()

    def off(z, y):
        return 1.01 * mlp.by_one_hot(z, y)

    wrong = Contender("wrong", "idiomatic", mlp.autodiff(off), ours.answer)
    with pytest.raises(Failure, match="'jaxnn' does not compute what 'wrong' does"):
        race(small(ours, wrong, strongest), QUICK)


def test_cases_are_those_of_the_goals():
    titles = [case.title for case in mlp.cases(quick=False)]
    assert len(titles) == 12
    assert {mlp.title(mlp.THIN, 10), mlp.title(mlp.WIDE, 1024)} <= set(titles)
    assert len(list(mlp.cases(quick=True))) == 2


@pytest.mark.parametrize("widths", [mlp.THIN, mlp.MIDDLE, mlp.WIDE])
@pytest.mark.parametrize("batch", mlp.BATCHES)
def test_an_epoch_is_of_whole_mini_batches(widths, batch):
    n = mlp.examples(widths, batch)
    assert n % batch == 0
    assert 1 <= n // batch <= 2000
