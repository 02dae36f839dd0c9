"""What readings cost: the bars on memory, which is exact; times are measured by the benchmark."""

import numpy as np
import pytest

from experiments.bench import readings_by_autodiff
from experiments.bench.method import race
from experiments.bench.workload import Settings
from experiments.bench.workloads import readings
from experiments.bench.workloads.readings import (
    AND_NORMS,
    CLIPPED,
    PLAIN,
    beside_autodiff,
    beside_the_gradient,
)


def memory(case, *names):
    """Megabytes of the contenders of these names or roles."""
    inputs = case.draw(np.random.default_rng(0))
    makes = {key: c.make for c in reversed(case.contenders) for key in (c.name, c.role)}
    return [makes[name](inputs).figures["temp MB"] for name in names]


def test_norms_and_clipping_need_hardly_more_memory_than_the_gradient():
    names = PLAIN, "idiomatic", AND_NORMS, CLIPPED
    plain, by_grad, norms, clipped = memory(beside_the_gradient(256), *names)
    assert 0 < plain <= by_grad
    assert norms <= 1.1 * plain
    assert clipped <= 1.5 * plain


@pytest.mark.parametrize("name", [AND_NORMS, CLIPPED])
def test_they_need_a_small_part_of_what_gradients_of_examples_need(name):
    (case,) = (case for case in beside_autodiff(64) if case.title.startswith(name))
    ours, formed = memory(case, "ours", "idiomatic")
    assert formed >= 300 * ours > 0


def test_all_contenders_compute_the_same(monkeypatch):
    nn = readings_by_autodiff.nn
    small = nn.serial(nn.Dense(7), nn.relu, nn.Dense(3))
    monkeypatch.setattr(readings_by_autodiff, "NET", small)
    monkeypatch.setattr(readings_by_autodiff, "BOUND", 0.3)  # some are clipped, some are not
    monkeypatch.setattr(readings, "WIDTHS", (5, 7, 3))
    for case in beside_autodiff(4):
        rows = race(case._replace(tolerance=1e-5), Settings(quick=True)).rows
        assert all(row.wall and row.figures["temp MB"] >= 0 for row in rows)
