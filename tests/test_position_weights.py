"""Weights for each position of an example: definitions, padding that might as well not be there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, curvature, half_square, readings, serial, softmax_cross_entropy
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM
from tests.test_readings import definitions

x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(5), nn.tanh, Dense(3))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 5, 2))
LABELS = RNG.integers(0, 3, (4, 5))
LABELS[1, 2] = -1
MARKED = softmax_cross_entropy.replace(ignore_index=-1)
WEIGHTS = RNG.uniform(0.5, 2, (4, 5))
WEIGHTS[0, 3:] = WEIGHTS[2] = 0  # two positions of one example, and all of another


def setting(net=NET):
    x = jnp.asarray(X)
    return draw(jax.eval_shape(net.init, KEY, x), 1), x


@x64
@pytest.mark.parametrize("net", [NET, serial(LSTM(3), Dense(3))], ids=["rows", "lstm"])
def test_every_reading_is_what_its_definition_says(net):
    params, x = setting(net)
    own = jnp.asarray(np.where(LABELS == -1, 0, WEIGHTS))
    c = np.array([1.0, 1, 0, 1]) / own.sum()  # the third example counts for nothing
    s, v, bound = np.arange(4.0), draw(params, 4), 2.0

    @jax.jit
    def ours(params):
        asked = {
            "gradient": nn.gradient,
            "per_example": nn.per_example,
            "norms": nn.squared_norms,
            "second_moment": readings.second_moment,
            "variance": readings.variance,
            "noise": readings.noise_scale,
            "directional": readings.directional(v),
            "flat": nn.clipped(bound),
            "weighted": readings.weighted(s),
        }
        read = tuple(asked.values())
        value, found = nn.backprop(net, MARKED, params, x, LABELS, weights=WEIGHTS, read=read)
        return value, dict(zip(asked, found, strict=True))

    @jax.jit
    def each(params):
        def alone(n):
            def value(params):
                p = jax.nn.log_softmax(net.forward(params, x, KEY)[0][n])
                return -(own[n] * p[jnp.arange(5), jnp.maximum(jnp.asarray(LABELS)[n], 0)]).sum()

            return jax.value_and_grad(value)(params)

        return jax.vmap(alone)(jnp.arange(4))

    (value, found), (values, gradients) = ours(params), each(params)
    assert_trees_close(value, jnp.asarray(c) @ values)
    with np.errstate(divide="ignore"):  # the third example has the norm 0
        expected = definitions(jax.tree.map(np.asarray, gradients), c, s, v, bound)
    for key in found:
        assert_trees_close(found[key], expected[key], name=f"{key} ")


# what a call gives without the padding; `rows` are the examples of which some position counts
LENGTH, ROWS = 3, np.array([0, 2, 3])
MASK = np.zeros((4, 5), np.float32)
MASK[ROWS, :LENGTH] = 1
V = draw(jax.eval_shape(NET.init, KEY, jnp.zeros((4, 5, 2))), 5)
METRICS = (nn.accuracy, nn.perplexity, nn.bits_per_character)
READ = (
    nn.gradient,
    nn.clipped(0.5),
    readings.variance,
    readings.noise_scale,
    readings.second_moment,
    curvature.kronecker,
    curvature.kronecker.replace(shared="reduce"),
)


def by_backprop(*given, **options):
    return nn.backprop(NET, *given, **options, read=READ)


def by_parts(*given, **options):
    read = *READ[:2], *READ[4:]
    return nn.accumulate(NET, *given, **options, read=read, micro_batches=len(given[2]))


CALLS = {
    "backprop": by_backprop,
    "accumulate": by_parts,
    "evaluate": functools.partial(nn.evaluate, NET, metrics=METRICS),
    "hvp": lambda *given, **options: curvature.hvp(NET, *given, v=V, **options),
    "gnvp": lambda *given, **options: curvature.gnvp(NET, *given, v=V, **options),
    "ggn_diagonal": functools.partial(curvature.ggn_diagonal, NET),
    "kflr": functools.partial(curvature.kflr, NET),
    "kflr, reduce": functools.partial(curvature.kflr, NET, shared="reduce"),
}


@x64
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_padding_might_as_well_not_be_there(call):
    params, x = setting()
    loss, y = softmax_cross_entropy, np.abs(LABELS)
    got = call(loss, params, x, y, weights=MASK)
    assert_trees_close(got, call(loss, params, x[ROWS, :LENGTH], y[ROWS, :LENGTH]))


@x64
def test_input_gradients_are_those_of_the_weighted_positions():
    params, x = setting()
    y, w = np.abs(LABELS), jnp.asarray(WEIGHTS)
    got = curvature.input_gradient(NET, softmax_cross_entropy, params, x, y, weights=w)
    value = lambda x: (w * softmax_cross_entropy(NET.forward(params, x)[0], y)[0]).sum()  # noqa: E731
    assert_trees_close(got, jax.grad(value)(x))


def epoch(micro_batches):
    params, x = setting()
    sgd = nn.SGD(0.5)
    options = nn.Options(WEIGHTS, micro_batches=micro_batches)
    order = np.array([3, 1, 0, 2, 1, 2, 0])
    given = NET, MARKED, sgd, nn.State(params, sgd.init(params)), x, LABELS, order
    return nn.train_epoch(*given, batch_size=4, options=options)


@x64
def test_weights_of_positions_travel_with_their_rows():
    params, x = setting()
    sgd, total = nn.SGD(0.5), 0.0
    state = nn.State(params, sgd.init(params))
    for rows in (np.array([3, 1, 0, 2]), np.array([1, 2, 0])):
        options = nn.Options(WEIGHTS[rows])
        state, value = nn.train_step(
            NET, MARKED, sgd, state, x[rows], LABELS[rows], options=options
        )
        total += len(rows) * value / 7
    wanted = state, total
    assert_trees_close(epoch(1), wanted)
    assert_trees_close(epoch(2), wanted)  # the last three rows filled up with one of weight 0


@x64
def test_what_is_nan_at_weight_0_does_not_count():
    params, x = setting()
    y = np.where(MASK, np.abs(LABELS), 99)  # no class: nan in a program, where it is not seen

    @jax.jit
    def found(y):
        return nn.backprop(NET, softmax_cross_entropy, params, x, y, weights=MASK)

    assert_trees_close(found(y), found(np.abs(LABELS)))
    outputs = jnp.where(MASK[..., None] > 0, 1.0, jnp.nan)  # and a layer that overflows there
    value, _ = nn.backprop(nn.linear, half_square, (), outputs, np.zeros((4, 5, 1)), weights=MASK)
    assert float(value) == 0.5


@pytest.mark.parametrize("w", [np.ones(4), WEIGHTS], ids=["examples", "positions"])
def test_a_metric_counts_what_has_weight(w):
    params, x = setting()
    by_example = lambda outputs, y: nn.accuracy(outputs, y).min(-1)  # noqa: E731
    got = nn.evaluate(NET, MARKED, params, x, LABELS, weights=w, metrics=(nn.accuracy, by_example))
    right = np.asarray(nn.accuracy(NET.forward(params, x)[0], LABELS))
    counts = (w if w.ndim > 1 else w[:, None]) * (LABELS != -1)
    wanted = {"accuracy": (right, counts), "<lambda>": (right.min(-1), counts.max(-1))}
    for name, (values, c) in wanted.items():
        np.testing.assert_allclose(got[name], (values * c).sum() / c.sum(), rtol=1e-6)


@x64
@pytest.mark.parametrize("w", [None, np.arange(4.0), WEIGHTS], ids=["none", "rows", "positions"])
def test_perplexity_and_bits_are_made_of_the_mean_over_what_counts(w):
    params, x = setting()
    loss = MARKED.replace(smoothing=0.3, class_weights=(2.0, 1.0, 0.5))  # change the loss alone
    given = NET, loss, params, x, LABELS
    got = nn.evaluate(*given, weights=w, metrics=METRICS, batch_size=3)
    p = np.asarray(jax.nn.softmax(NET.forward(params, x)[0]))
    cost = -np.log(np.take_along_axis(p, np.maximum(LABELS, 0)[..., None], -1))[..., 0]
    c = np.broadcast_to(1.0 if w is None else w if w.ndim > 1 else w[:, None], cost.shape)
    c = np.where(LABELS == -1, 0, c)
    mean = (c * cost).sum() / c.sum()
    np.testing.assert_allclose(got["perplexity"], np.exp(mean), rtol=1e-12)
    np.testing.assert_allclose(got["bits_per_character"], mean / np.log(2), rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (softmax_cross_entropy, LABELS),
        (softmax_cross_entropy, np.ones((4, 5, 3)) / 3),
        (softmax_cross_entropy, np.ones(4, np.int8)),
        (nn.sigmoid_cross_entropy, np.ones((4, 5, 3), int)),
        (half_square, np.ones((4, 3))),
        (nn.sum_square, np.ones((4, 5, 3), int)),
    ],
)
def test_a_loss_tells_its_positions_from_the_targets(loss, y):
    outputs = jnp.ones((*y.shape, 3) if y.shape[-1] != 3 else y.shape)
    assert loss.positions(y) == loss(outputs, jnp.asarray(y))[0].shape


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (5,),
            r"shape \(4,\), one for each example, or \(4, 5\), one for each position, got \(5,\)",
        ),
        ((4, 3), r"got \(4, 3\); a weight of 0 leaves out what it stands for"),
        ((4, 5, 1), r"got \(4, 5, 1\); drop the last axis, weights\[..., 0\]"),
    ],
)
def test_weights_that_fit_neither_examples_nor_positions_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        nn.backprop(NET, MARKED, *setting(), LABELS, weights=np.ones(shape))
