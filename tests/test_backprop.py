"""`backprop` against `jax.grad` of the objective, with every kind of weight; its refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import (
    BatchNorm,
    Dense,
    Dropout,
    backprop,
    half_square,
    serial,
    softmax_cross_entropy,
)
from jaxnn.fast import seen
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM

x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(7), nn.tanh, Dense(5))
Y = np.array([3, 0, 4])


def batch(net=NET, shape=(3, 2)):
    x = draw(jnp.zeros(shape), 1)
    return draw(jax.eval_shape(net.init, KEY, x), 2), x


def log_likelihood(net, params, x, y):
    z = net.forward(params, x, KEY)[0]
    return -jnp.take_along_axis(jax.nn.log_softmax(z), jnp.asarray(y)[..., None], -1)[..., 0]


def assert_objective(net, loss, params, x, y, objective, weights=None):
    """value and gradients equal those of `objective(values of all examples)`."""
    got = backprop(net, loss, params, x, y, KEY, weights=weights)
    want = jax.value_and_grad(lambda p: objective(log_likelihood(net, p, x, y)))(params)
    assert_trees_close(got, want)


@x64
@pytest.mark.parametrize(("reduction", "total"), [("mean", jnp.mean), ("sum", jnp.sum)])
def test_named_reductions(reduction, total):
    loss = softmax_cross_entropy.replace(reduction=reduction)
    assert_objective(NET, loss, *batch(), Y, total)


@x64
def test_reduction_none_gives_a_value_for_each_example_and_the_gradient_of_the_sum():
    params, x = batch()
    values, grads = backprop(NET, softmax_cross_entropy.replace(reduction="none"), params, x, Y)
    total, wanted = backprop(NET, softmax_cross_entropy.replace(reduction="sum"), params, x, Y)
    assert_trees_close(values, log_likelihood(NET, params, x, Y))
    assert_trees_close((values.sum(), grads), (total, wanted))


@x64
@pytest.mark.parametrize("net", [NET, serial(Dense(7), BatchNorm(), Dropout(0.2), Dense(5))])
def test_example_weights(net):
    w = np.array([0.5, 2.0, 0.0])
    params, x = batch(net)
    if net != NET:  # a bias before batch-norm has no gradient but noise
        net = serial(Dense(7, bias=False), *net.layers[1:])
        params, x = batch(net)
    assert_objective(net, softmax_cross_entropy, params, x, Y, lambda v: (w * v).sum() / 2.5, w)
    total = softmax_cross_entropy.replace(reduction="sum")
    assert_objective(net, total, params, x, Y, lambda v: (w * v).sum(), w)


@x64
def test_class_weights_and_ignored_labels_average_over_what_counts():
    given, y = np.array([1.0, 2.0, 4.0, 0.5, 3.0]), np.array([3, -1, 4])
    loss = softmax_cross_entropy.replace(class_weights=tuple(given), ignore_index=-1)
    own, w = np.array([0.5, 0.0, 3.0]), np.array([2.0, 5.0, 1.0])
    params, x = batch()
    safe = np.maximum(y, 0)
    for weights, c in ((None, own / 3.5), (w, w * own / 4.0)):
        got = backprop(NET, loss, params, x, y, weights=weights)
        want = jax.value_and_grad(lambda p, c=c: (c * log_likelihood(NET, p, x, safe)).sum())(
            params
        )
        assert_trees_close(got, want)


@x64
def test_a_sequence_counts_by_its_positions():
    net = serial(LSTM(7), Dense(5))
    params, x = batch(net, (3, 4, 2))
    y = np.random.default_rng(0).integers(0, 5, (3, 4))
    assert_objective(net, softmax_cross_entropy, params, x, y, jnp.mean)
    w = np.array([1.0, 0.0, 3.0])
    weighted = lambda v: (w[:, None] * v).sum() / (4 * w.sum())  # noqa: E731
    assert_objective(net, softmax_cross_entropy, params, x, y, weighted, w)


@x64
def test_ignored_positions_of_a_sequence():
    net = serial(LSTM(7), Dense(5))
    params, x = batch(net, (3, 4, 2))
    y = np.random.default_rng(0).integers(0, 5, (3, 4))
    keep = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], float)
    loss = softmax_cross_entropy.replace(ignore_index=-100)
    got = backprop(net, loss, params, x, np.where(keep, y, -100))
    objective = lambda p: (keep * log_likelihood(net, p, x, y)).sum() / 7  # noqa: E731
    assert_trees_close(got, jax.value_and_grad(objective)(params))


@x64
def test_nothing_that_counts_is_worth_zero():
    params, x = batch()
    loss = softmax_cross_entropy.replace(ignore_index=-1)
    zeros = jax.tree.map(jnp.zeros_like, params)
    for weights, y in ((np.zeros(3), Y), (None, np.full(3, -1))):
        value, grads = backprop(NET, loss, params, x, y, weights=weights)
        assert float(value) == 0
        assert_trees_close(grads, zeros)


@x64
@pytest.mark.parametrize("loss", [half_square, nn.sum_square], ids=str)
def test_the_errors_of_every_layer_are_the_derivatives_at_zero_perturbations(loss):
    net = serial(Dense(7), nn.sigmoid, Dense(3), nn.tanh, Dense(2), nn.sigmoid)
    params, x = batch(net, (5, 2))
    y = jax.nn.sigmoid(draw(jnp.zeros((5, 2)), 9))
    _, found = backprop(net, loss, params, x, y, read=nn.factors)

    def objective(extra):  # a bias of its own for every example is a perturbation of z
        moved = [p._replace(b=p.b + e) if p else p for p, e in zip(params, extra, strict=True)]
        return loss(net.forward(tuple(moved), x)[0], y)[0].sum()

    zero = tuple(jnp.zeros((5, *p.b.shape)) if p else () for p in params)
    deltas = jax.grad(objective)(zero)
    for i in (0, 2, 4):
        assert_trees_close(found[i].b.d, deltas[i])
        assert_trees_close(found[i].w.d, deltas[i])


@x64
def test_one_example_at_a_time_gives_the_gradients_of_the_batch():
    params, x = batch()
    _, whole = backprop(NET, softmax_cross_entropy, params, x, Y)
    each = [
        backprop(NET, softmax_cross_entropy, params, x[i : i + 1], Y[i : i + 1])[1]
        for i in range(3)
    ]
    assert_trees_close(jax.tree.map(lambda *g: sum(g[1:], g[0]) / 3, *each), whole)


def test_backprop_works_inside_the_users_own_jit_and_vmap():
    params, x = batch()
    many = jax.vmap(lambda p: backprop(NET, softmax_cross_entropy, p, x, Y))
    stacked = jax.tree.map(lambda p: jnp.stack([p, 2 * p]), params)
    values, _ = jax.jit(many)(stacked)
    value, _ = backprop(NET, softmax_cross_entropy, params, x, Y)
    assert_trees_close(values[0], value, rtol=1e-6)


def temp_size(jitted, *arguments):
    analysis = jitted.lower(*arguments).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def test_plain_gradients_need_no_more_memory_than_autodiff():
    net = serial(Dense(64), nn.relu, Dense(32), nn.relu, Dense(5))
    params, x = batch(net, (128, 40))
    y = jnp.zeros(128, int)
    ours = jax.jit(lambda p: backprop(net, softmax_cross_entropy, p, x, y))
    theirs = jax.jit(jax.value_and_grad(lambda p: log_likelihood(net, p, x, y).mean()))
    assert temp_size(ours, params) <= temp_size(theirs, params)


REFUSED = [
    ({"y": np.array([0, 1])}, ValueError, r"an entry for each of the 3 examples"),
    ({"x": np.zeros((0, 2), np.float32), "y": Y[:0]}, ValueError, r"one or more examples"),
    ({"y": np.array([0, 5, 1])}, ValueError, r"labels in \[0, 5\), got values from 0 to 5"),
    ({"y": np.array([0, -1, 1])}, ValueError, r"from -1 to 1; mark .* with ignore_index"),
    ({"y": np.full((3, 5), 0.3, np.float32)}, ValueError, r"rows of y >= 0 that sum to 1"),
    ({"y": np.eye(4, dtype=np.float32)[:3]}, ValueError, r"\(3, 5\), got float32 \(3, 4\)"),
    ({"weights": np.ones(2)}, ValueError, r"weights of shape \(3,\), .* got \(2,\)"),
    ({"weights": np.array([1, -1, 0])}, ValueError, r"weights that are finite and >= 0"),
    ({"weights": np.array([1, np.nan, 0])}, ValueError, r"weights that are finite and >= 0"),
    ({"x": np.zeros((3, 4), np.float32)}, ValueError, r"\[0\] Dense\(7\): expected x with last"),
    ({"x": np.zeros((3, 2), np.uint8)}, TypeError, r"\[0\] Dense\(7\): .* got uint8.*Pixels\(\)"),
    (
        {"loss": nn.sigmoid_cross_entropy, "y": np.full((3, 5), 2, np.int32)},
        ValueError,
        r"targets in \[0, 1\], got values from 2 to 2",
    ),
    (
        {"loss": softmax_cross_entropy.replace(class_weights=(1.0, 2.0))},
        ValueError,
        "expected 5 class_weights, one for each output, got 2",
    ),
]


@pytest.mark.parametrize(("change", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(change, error, message):
    params, x = batch()
    given = {"loss": softmax_cross_entropy, "x": x, "y": Y} | change
    loss, x, y = given.pop("loss"), given.pop("x"), given.pop("y")
    with pytest.raises(error, match=message):
        backprop(NET, loss, params, x, y, **given)


def test_targets_are_looked_at_once_unless_they_may_have_changed(monkeypatch):
    kind, looked = type(softmax_cross_entropy), []
    check = kind.check_targets
    monkeypatch.setattr(kind, "check_targets", lambda *given: looked.append(0) or check(*given))
    params, x = batch()

    def looks(y, loss=softmax_cross_entropy):
        looked.clear()
        backprop(NET, loss, params, x, y)
        return len(looked)

    given = np.zeros(3, np.int32)
    y = jnp.array(given)
    assert [looks(y), looks(y), looks(jnp.array(given))] == [1, 0, 1]
    assert [looks(given), looks(given)] == [1, 1]
    assert looks(y, softmax_cross_entropy.replace(smoothing=0.1)) == 1
    known = len(seen._looked_at)
    del y
    assert len(seen._looked_at) == known - 1
    given[0] = 99
    for wrong in (given, given, jnp.array(given)):
        with pytest.raises(ValueError, match="99"):
            looks(wrong)
