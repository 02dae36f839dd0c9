"""Benchmarks of whole processes, of how time grows, and of curvature: that they measure what they
say, on a job of seconds. The times themselves are of no interest here."""

import numpy as np
import pytest

from experiments.bench import one_process
from experiments.bench.method import distance
from experiments.bench.workload import Found, rivals
from experiments.bench.workloads import curvature, process, scaling
from experiments.common.failures import Failure

JAXNN, BY_JAX, BY_NUMPY, TORCH, SKLEARN = process.STARTS


@pytest.fixture
def job(tmp_path):
    """An epoch of 200 examples that lie in a folder."""
    process.save(tmp_path / "data", *process.patterns(200, 0))
    return one_process.Job(str(tmp_path / "data"), process.THIN, batch=10)


def test_a_process_notes_its_imports_and_every_epoch(job):
    ballast = np.ones(2**27)  # 1 GB of the parent's, which is none of the child's
    imported, first, second = process.notes(JAXNN._replace(as_bytes=True), job._replace(epochs=2))
    assert ballast.any()
    assert 0 < imported["cpu"] < first["cpu"] < second["cpu"]
    assert 0 < imported["wall"] < first["wall"] < second["wall"]
    assert 50 < imported["peak MB"] < first["peak MB"] <= second["peak MB"] < 900
    assert imported["objective"] is None
    assert second["objective"] < first["objective"] < 2.5


def run(library, job, **changes):
    """The objectives of a job that is done here."""
    return [*one_process.LIBRARIES[library](job._replace(**changes))][1:]


def test_all_libraries_learn_the_same(job):
    objectives = {JAXNN: run("jaxnn", job)[0]}
    for other in (BY_JAX, BY_NUMPY):
        (objectives[other],) = run(other.library, job)
    process.check_learned("epoch", objectives)
    (as_bytes,) = run("jaxnn", job, as_bytes=True)
    assert as_bytes == pytest.approx(objectives[JAXNN], rel=0.1)  # another layer, other weights
    with pytest.raises(Failure, match="'scikit-learn' does not do what ours does"):
        process.check_learned("epoch", objectives | {SKLEARN: 10.0})


@pytest.mark.parametrize("library", ["torch", "sklearn"])
def test_the_peers_learn_as_well(job, library):
    pytest.importorskip(library)
    before, after = run(library, job, epochs=2)
    assert after < before < 3


def test_a_first_step_is_that_of_the_first_mini_batch(job):
    (step,) = run("jaxnn", job, one_step=True)
    (epoch,) = run("jaxnn", job)
    assert epoch < step


def test_a_process_that_fails_says_what_it_said(job):
    with pytest.raises(Failure, match=r"jaxnn: expected .* to end well(.|\n)*x.npy"):
        process.notes(JAXNN, job._replace(folder="nowhere"))


def test_what_is_not_installed_is_an_empty_row(job, monkeypatch):
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    noted = {"wall": 2.0, "cpu": 1.0, "peak MB": 100.0, "objective": 2.0}
    monkeypatch.setattr(process, "notes", lambda *_: [noted, noted, noted])
    found = process.starts("epoch", process.STARTS, job, 2)
    assert [len(row.cpu) for row in found.rows] == [2, 2, 2, 0, 0]
    goals = {goal.target: goal for goal in process.WORKLOAD.goals}
    cold = Found({process.EPOCH + process.COLD: found})
    assert goals["<= 1.0"].reach(cold) == 1.0
    assert goals["<= 300"].reach(cold) is None
    memory = process.memory(job)
    assert memory.figure("ours", "peak MB") == 100.0
    assert memory.rows[-1].figures == {}


def test_the_slope_is_the_power_of_the_size():
    found = {n: {"jaxnn": 3.0 * n, "jax.grad": 2.0 * n**2} for n in (1, 2, 8)}
    table = scaling.table(scaling.DATA.title, found)
    assert table.figure("jaxnn", "slope") == pytest.approx(1)
    assert table.figure("jax.grad", "slope") == pytest.approx(2)
    assert table.figure("jax.grad, local slope", "8") == pytest.approx(2)
    assert dict(rivals(table)) == pytest.approx(
        {"jax.grad at 1": 2 / 3, "jax.grad at 2": 4 / 3, "jax.grad at 8": 16 / 3}
    )
    reached = [g.reach(Found({table.title: table})) for g in scaling.WORKLOAD.goals]
    assert reached == [pytest.approx(1)] * 2 + [None] * 2


def test_twice_the_depth_is_twice_the_work():
    for depth in scaling.DEPTH.sizes:
        assert scaling.DEPTH.run(depth).widths == (128,) * (depth + 1)


def test_every_size_is_whole_mini_batches():
    for axis in scaling.AXES:
        for size in axis.sizes:
            run = axis.run(size)
            assert run.n % run.batch == 0


def test_curvature_by_autodiff_is_ours(monkeypatch):
    monkeypatch.setattr(curvature, "WIDTHS", (5, 4, 4, 10))
    net = curvature.nn.serial(
        *(part for _ in range(2) for part in (curvature.nn.Dense(4), curvature.nn.tanh)),
        curvature.nn.Dense(10),
    )
    monkeypatch.setattr(curvature, "NET", net)
    for case in curvature.cases(quick=True):
        inputs = case.draw(np.random.default_rng(0))
        made = ((c.answer, c.make(inputs)) for c in case.contenders)
        ours, *others = (answer(run(), inputs) for answer, run in made if answer)
        assert others
        for other in others:
            assert distance(ours, other) < 1e-4, case.title
