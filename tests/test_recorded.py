"""Nielsen's recorded curves: the random numbers behind them, and the first epochs of training."""

import itertools
import json
import os
import random
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.data import DataError
from experiments.lectures.recorded.agreement import (
    as_recorded,
    cost_difference,
    count_difference,
    epochs_within,
)
from experiments.lectures.recorded.files import Curves, recorded, recorded_errors, recorded_norms
from experiments.lectures.recorded.follow import curves, follow
from experiments.lectures.recorded.images import Part
from experiments.lectures.recorded.networks import draw, network
from experiments.lectures.recorded.norms import deviations, errors_and_gradient, mean_errors
from experiments.lectures.recorded.plot import draw_curves, draw_norms
from experiments.lectures.recorded.runs import RUNS, SEED
from experiments.lectures.recorded.shuffle import shuffle

HOME = Path(os.environ.get("JAXNN_DATA_DIR") or "nowhere")
with_data = pytest.mark.skipif(
    not ((HOME / "nielsen").is_dir() and (HOME / "mnist").is_dir()),
    reason="JAXNN_DATA_DIR does not name a folder with nielsen and mnist in it",
)


def drawn_from_the_end(items, seed):
    """The same shuffle said otherwise: choose the last entry, then the one before it, and so on;
    the entry that was last takes the place of the chosen one."""
    numbers, rest, chosen = random.Random(seed), list(items), []
    while len(rest) > 1:
        at = int(numbers.random() * len(rest))
        last = rest.pop()
        chosen.append(last if at == len(rest) else rest[at])
        if at < len(rest):
            rest[at] = last
    return rest + chosen[::-1]


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_the_shuffle_is_that_of_cpython_2(n):
    items = list(range(n))
    shuffle(items, random.Random(SEED))
    assert items == drawn_from_the_end(range(n), SEED)


def test_the_shuffle_by_hand():
    class Given(random.Random):
        numbers = iter([0.0, 0.99, 0.4])

        def random(self):
            return next(self.numbers)

    items = list("abcd")  # 3 with 0: dbca, 2 with 2: dbca, 1 with 0: bdca
    shuffle(items, Given())
    assert items == list("bdca")


def test_the_start_is_drawn_biases_first_and_weights_by_rows():
    numbers = np.random.RandomState(SEED).standard_normal(2 * (3 + 2) + 2 * (12 + 6))
    generator = np.random.RandomState(SEED)
    scaled, large = draw(generator, (4, 3, 2), "scaled"), draw(generator, (4, 3, 2), "large")
    for params, at, by in ((scaled, numbers[:23], (2, 3**0.5)), (large, numbers[23:], (1, 1))):
        b1, b2, w1, w2 = np.split(at, (3, 5, 17))
        np.testing.assert_array_equal(params[0].b, b1)
        np.testing.assert_array_equal(params[2].b, b2)
        np.testing.assert_allclose(params[0].w, w1.reshape(3, 4).T / by[0], rtol=1e-15)
        np.testing.assert_allclose(params[2].w, w2.reshape(2, 3).T / by[1], rtol=1e-15)
    assert network((4, 3, 2)) == nn.serial(nn.Dense(3), nn.sigmoid, nn.Dense(2))
    assert jax.tree.structure(scaled) == jax.tree.structure(
        network((4, 3, 2)).init(jax.random.key(0), jnp.ones((1, 4)))
    )


def first_epochs(name, epochs):
    """Reproduced and recorded curves of the first epochs."""
    found = curves(itertools.islice(follow(RUNS[name]), epochs))
    expected = recorded(RUNS[name])
    return found, Curves(*(curve[:epochs] for curve in expected))


@with_data
@pytest.mark.parametrize("name", ["regularized", "overfitting"])
def test_twenty_epochs_follow_the_recorded_costs_and_counts(name):
    found, expected = first_epochs(name, 20)
    for kind in ("evaluation", "training"):
        ours, theirs = (getattr(part, f"{kind}_cost") for part in (found, expected))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
        ours, theirs = (getattr(part, f"{kind}_correct") for part in (found, expected))
        np.testing.assert_array_equal(ours, theirs)
    assert len(found.training_cost) == 20
    assert jnp.ones(1).dtype == np.float32  # the float64 of the run does not leak


@with_data
@pytest.mark.parametrize("start", ["scaled", "large"])
def test_an_epoch_from_either_start_gives_the_recorded_count(start):
    found, expected = first_epochs(f"weight_initialization_30_{start}", 1)
    np.testing.assert_array_equal(found.evaluation_correct, expected.evaluation_correct)


@with_data
def test_a_run_goes_on_where_the_one_before_it_left_the_generators():
    found, expected = first_epochs("eta_0.25", 1)
    np.testing.assert_allclose(found.training_cost, expected.training_cost, rtol=1e-9)


@with_data
def test_a_nudged_start_makes_another_run_that_stays_near():
    nudged = curves(itertools.islice(follow(RUNS["regularized"], nudged=True), 3))
    found, _ = first_epochs("regularized", 3)
    # of three epochs, because a difference of one rounding can vanish from the sum of one
    assert 0 < cost_difference(nudged, found).max() < 1e-11


@with_data
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())
def test_every_recorded_curve_is_found(run):
    found = recorded(run)
    assert any(curve.size for curve in found)


def test_without_the_folder_the_error_says_what_it_must_hold(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    with pytest.raises(DataError, match=r"JAXNN_DATA_DIR is not set.* nielsen/regularized\.json"):
        recorded(RUNS["regularized"])
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"regularized\.json: .* No such file.*folder with nielsen"):
        recorded(RUNS["regularized"])
    with pytest.raises(DataError, match=r"2_layers\.json: .*No such file"):
        recorded_norms(2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[1.0", "JSON"),
        ("\xff", "JSON"),
        ("[]", "four curves"),
        ("{}", "four curves"),
        ("[[1], [2], [3], [4]]", "four curves of regularized with 400 numbers or none"),
        ("[[[1], 2], [], [], []]", "four curves"),
    ],
)
def test_a_damaged_file_is_refused_with_its_path(text, expected, monkeypatch, tmp_path):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    (tmp_path / "nielsen").mkdir()
    path = tmp_path / "nielsen" / "regularized.json"
    path.write_bytes(text.encode("latin1"))
    with pytest.raises(DataError, match=f"^{path}: expected {expected}.* put a good copy"):
        recorded(RUNS["regularized"])


def test_norms_of_another_shape_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    (tmp_path / "nielsen").mkdir()
    for value in ([[1.0, 2.0]], {"a": 1}, "text"):
        path = tmp_path / "nielsen" / "norms_during_training_2_layers.json"
        path.write_text(json.dumps(value))
        with pytest.raises(DataError, match=r"expected numbers \(500, 2\)"):
            recorded_norms(2)


NOTHING = np.empty(0)
EXPECTED = Curves(np.array([4.0, 2.0, 1.0]), np.array([5, 6, 7]), NOTHING, NOTHING)
FOUND = Curves(np.array([4.0, 2.5]), np.array([5, 8]), np.array([3.0, 2.0]), np.array([1, 2]))


def test_the_agreement_counts_what_was_recorded_in_the_epochs_there_are():
    np.testing.assert_allclose(cost_difference(FOUND, EXPECTED), [0, 0.25])
    np.testing.assert_array_equal(count_difference(FOUND, EXPECTED), [0, 2])
    assert as_recorded(FOUND, EXPECTED).training_cost.size == 0
    assert cost_difference(FOUND, Curves(*[NOTHING] * 4)).size == 0
    assert epochs_within(np.array([0.0, 0.1, 0.0]), 0.01) == 1
    assert epochs_within(np.array([0.0, np.nan]), 0.01) == 1
    assert epochs_within(np.zeros(3), 0.01) == 3


def lines(axes):
    return {line.get_label(): np.asarray(line.get_xydata()) for line in axes.get_lines()}


def test_the_plot_shows_the_curves_and_only_those_recorded():
    figure = draw_curves(RUNS["overfitting"], EXPECTED, FOUND, np.array([1e-9, 1e-3]))
    cost, difference, correct = (lines(axes) for axes in figure.axes)
    assert set(cost) == set(correct) == {"evaluation, recorded", "evaluation, reproduced"}
    np.testing.assert_array_equal(cost["evaluation, recorded"], [[1, 4], [2, 2], [3, 1]])
    np.testing.assert_array_equal(cost["evaluation, reproduced"], [[1, 4], [2, 2.5]])
    np.testing.assert_allclose(correct["evaluation, reproduced"], [[1, 0.05], [2, 0.08]])
    np.testing.assert_allclose(difference["reproduced from recorded"], [[1, 0], [2, 0.25]])
    np.testing.assert_allclose(difference["reproduced from nudged"], [[1, 1e-9], [2, 1e-3]])
    assert [axes.get_xlabel() for axes in figure.axes] == ["epoch"] * 3


def test_the_plot_of_norms_shows_recorded_lines_and_drawn_bands():
    recorded_ = {2: np.array([[0.1, 0.3], [0.05, 0.2]])}
    drawn = {2: np.array([[[0.1, 0.2], [0.1, 0.2]], [[0.3, 0.4], [0.2, 0.5]]])}
    (axes,) = draw_norms(recorded_, drawn).axes
    np.testing.assert_array_equal(lines(axes)["hidden layer 2"], [[0, 0.3], [1, 0.2]])
    band = np.asarray(axes.collections[1].get_paths()[0].vertices)
    assert {tuple(corner) for corner in band} == {(0, 0.2), (1, 0.2), (0, 0.4), (1, 0.5)}


def test_the_errors_and_the_gradient_come_from_one_sweep(x64):
    net = network((4, 3, 3, 2))
    rng = np.random.RandomState(0)
    params = jax.tree.map(jnp.asarray, draw(rng, (4, 3, 3, 2), "scaled"))
    part = Part(jnp.asarray(rng.rand(5, 4)), jnp.asarray(np.eye(2)[[0, 1, 1, 0, 1]]))
    errors, grads = errors_and_gradient(net, params, part)
    _, expected = nn.backprop(net, nn.sigmoid_cross_entropy, params, *part)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), grads, expected)
    np.testing.assert_allclose(errors, [expected[0].b, expected[2].b], rtol=1e-12)


@with_data
def test_recorded_norms_lie_among_those_of_drawn_networks():
    errors = mean_errors(2, seeds=5, steps=30)
    assert errors.shape == (5, 30, 2, 30)
    norms, expected = np.linalg.norm(errors, axis=-1), recorded_norms(2)[:30]
    assert np.abs(deviations(norms, expected)).max() < 4
    assert (norms[:, 0, 0] < 0.4 * norms[:, 0, 1]).all()  # the earlier layer, the smaller error
    assert (np.linalg.norm(recorded_errors(), axis=-1) < expected[0]).all()
