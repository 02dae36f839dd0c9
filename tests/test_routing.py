"""Several inputs at every entry point: sequences with lengths, and a memory to attend to."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, Embedding, Join, Main, Parallel, Repeat, Skip, Take, serial
from jaxnn.check import check_backprop
from jaxnn.core.inputs import as_arrays
from jaxnn.curvature import integrated_gradients
from jaxnn.feedback import DirectFeedbackAlignment, GradientReversal, WithBackward, with_rule
from jaxnn.training import average_statistics
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM, CrossAttention

LOSS, N = nn.softmax_cross_entropy, 6
BLOCK = Skip(serial(Main(nn.LayerNorm()), Join(LSTM(5))))
WORDS = serial(Main(Embedding(11, 5)), Join(LSTM(5)), Repeat(BLOCK, 2), Main(Dense(3)), Take(0))
ATTENDING = serial(Repeat(Skip(Join(CrossAttention(5))), 3), Main(Dense(3)), Take(0))
RNG = np.random.default_rng(0)
IDS, LENGTHS = (
    RNG.integers(0, 11, (N, 3)).astype(np.int32),
    np.array([0, 3, 1, 2, 3, 0], np.int32),
)
SETTINGS = {
    "lengths": (WORDS, (IDS, LENGTHS)),
    "memory": (ATTENDING, (RNG.normal(size=(N, 3, 5)), RNG.normal(size=(N, 2, 13)))),
}
Y = RNG.integers(0, 3, (N, 3))
over_settings = pytest.mark.parametrize(("net", "x"), SETTINGS.values(), ids=SETTINGS)


def started(net, x, optimizer=nn.SGD(0.1)):  # noqa: B008 - a value
    params = draw(jax.eval_shape(net.init, KEY, as_arrays(x)), 1)
    return nn.State(params, optimizer.init(params))


@over_settings
@pytest.mark.usefixtures("x64")
def test_gradients_in_whole_and_in_parts_are_those_of_autodiff(net, x):
    params, x, y = started(net, x).params, as_arrays(x), jnp.asarray(Y)

    def value(params):
        logits = jax.nn.log_softmax(net.forward(params, x)[0])
        return -jnp.take_along_axis(logits, y[..., None], -1).mean()

    expected = jax.jit(jax.value_and_grad(value))(params)
    assert_trees_close(nn.backprop(net, LOSS, params, x, y), expected)
    parts = nn.accumulate(net, LOSS, params, x, y, micro_batches=N)
    assert_trees_close(parts, expected)


@over_settings
@pytest.mark.usefixtures("x64")
def test_training_scoring_and_predicting(net, x):
    x, optimizer, order = as_arrays(x), nn.SGD(0.1), np.arange(N)[::-1]

    def step(state, rows):
        some = jax.tree.map(lambda entry: entry[rows], x)
        return nn.train_step(net, LOSS, optimizer, state, some, Y[rows])[0]

    singly = started(net, x)
    for first in (0, 3):
        singly = step(singly, order[first : first + 3])
    state, first = nn.train_epoch(net, LOSS, optimizer, started(net, x), x, Y, order, batch_size=3)
    assert_trees_close(state.params, singly.params)
    scores = nn.evaluate(net, LOSS, state.params, x, Y, metrics=(nn.accuracy,), batch_size=4)
    assert scores["loss"] < first
    outputs = nn.predict(net, state.params, x, batch_size=4)
    assert_trees_close(outputs, nn.predict(net, state.params, x), rtol=1e-12)
    hit = np.asarray(outputs).argmax(-1) == Y
    np.testing.assert_allclose(scores["accuracy"], hit.mean(), rtol=1e-12)


def test_models_trained_together_are_trained_as_alone():
    net, x = SETTINGS["memory"]
    given = as_arrays(x), Y, np.arange(N)
    rates = nn.stack([nn.SGD(0.1), nn.SGD(0.0)])
    states = nn.stack([started(net, x)] * 2)
    together, values = nn.train_epoch_together(net, LOSS, rates, states, *given, batch_size=N)
    alone, value = nn.train_epoch(net, LOSS, nn.SGD(0.1), started(net, x), *given, batch_size=N)
    assert_trees_close(nn.unstack(together)[0].params, alone.params, rtol=1e-6)
    np.testing.assert_allclose(values, value, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_what_lies_behind_a_length_has_no_influence_and_no_gradient():
    params = started(*SETTINGS["lengths"]).params
    other = np.where(np.arange(3) < LENGTHS[:, None], IDS, 7)
    on = np.arange(3) < LENGTHS[:, None]
    y = [nn.predict(WORDS, params, (ids, LENGTHS)) for ids in (IDS, other.astype(np.int32))]
    assert_trees_close(y[0][on], y[1][on], rtol=0)
    one = started(WORDS, (IDS, LENGTHS)).params
    rows = nn.backprop(WORDS, LOSS, one, (IDS, LENGTHS), Y)[1][0].rows
    unseen = np.setdiff1d(np.arange(11), IDS[on])
    assert not rows[unseen].any()
    assert len(unseen)


def kept(net, x):
    """How many numbers of each shape are kept for backward."""
    params = jax.eval_shape(net.init, KEY, x)
    return [leaf.shape for leaf in jax.tree.leaves(jax.eval_shape(net.forward, params, x)[1])]


def test_what_passes_through_a_repeat_is_kept_once():
    x = jnp.zeros((2, 3, 5)), jnp.zeros((2, 7, 11))
    for net in (Repeat(Join(CrossAttention(5)), 4), Repeat(Skip(Join(CrossAttention(5))), 4)):
        shapes = kept(net, x)
        assert shapes.count((2, 7, 11)) == 1
        assert (4, 2, 7, 11) not in shapes
        assert shapes.count((4, 2, 3, 5)) == 2  # x and q
    unused = serial(Repeat(Main(Dense(5)), 4), Take(0))
    assert (2, 7, 11) not in kept(unused, x)


def test_an_entry_that_the_layers_change_goes_through_the_scan():
    class Swap(nn.Layer):
        """(a, b) to (b, a)."""

        def forward(self, params, x, key=None):
            return x[::-1], ()

        def backward(self, params, residuals, dy, read):
            return dy[::-1], ()

        def push(self, params, residuals, vparams, vx):
            return None if vx is None else vx[::-1], ()

    x = draw((jnp.zeros((3, 5)),) * 2, 0)
    layer = serial(Main(Dense(5)), Swap())
    params = [draw(jax.eval_shape(layer.init, KEY, x), seed) for seed in range(3)]
    net, row = Repeat(layer, 3), serial(*[layer] * 3)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
    (y, residuals), (expected, others) = net.forward(stacked, x), row.forward(tuple(params), x)
    assert_trees_close(y, expected, rtol=1e-6)
    assert_trees_close(
        net.backward(stacked, residuals, y, nn.gradient)[0],
        row.backward(tuple(params), others, y, nn.gradient)[0],
        rtol=1e-6,
    )
    vy = net.push(stacked, residuals, stacked, None)[0]
    assert_trees_close(vy, row.push(tuple(params), others, tuple(params), None)[0], rtol=1e-6)


BOTH = Join(serial(Parallel((Take(0), Take(1)), "concat"), Dense(5), nn.tanh))


def test_other_entry_points_take_tuples():
    x, net = (jnp.ones((N, 3, 5)), jnp.zeros((N, 3, 2))), serial(BOTH, Main(Dense(3)), Take(0))
    params = nn.start(net, nn.SGD(0.1), KEY, x).params
    assert check_backprop(net, LOSS, params, x, Y, level="quick")
    rows = nn.summary(serial(Main(nn.tanh), Repeat(BOTH, 2)), x).rows
    assert [row.output for row in rows] == [(N, 3, 5), ((N, 3, 5), (N, 3, 2))]
    normed = serial(Main(serial(Dense(3), nn.BatchNorm())), Take(0))
    x = jnp.zeros((N, 5)), jnp.asarray(LENGTHS)
    params = normed.init(KEY, x)
    statistics = average_statistics(normed, params, x, batch_size=3)
    assert int(statistics.count) == 2
    frozen, params = nn.freeze(normed, params, statistics)
    assert nn.predict(frozen, params, x).shape == (N, 3)


@pytest.mark.usefixtures("x64")
def test_integrated_gradients_of_several_inputs_add_up():
    net = serial(BOTH, Main(Dense(2)), Take(0))
    x = *draw((jnp.zeros((3, 5)), jnp.zeros((3, 2))), 1), jnp.arange(3)
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    start = 0 * x[0] + 0.5, 0 * x[1], x[2]
    *found, none = integrated_gradients(net, params, x, [0, 1, 1], baseline=(0.5, None, None))
    assert none is None
    moved = nn.predict(net, params, x) - nn.predict(net, params, start)
    total = sum(part.sum(1) for part in found)
    assert_trees_close(total, moved[jnp.arange(3), jnp.asarray([0, 1, 1])], rtol=1e-8)


def test_backward_rules_with_several_inputs():
    net, x = SETTINGS["memory"]
    x, ruled = as_arrays(x), with_rule(net, nn.feedback.SignSymmetric("one"))
    params = draw(jax.eval_shape(net.init, KEY, x), 1)
    assert nn.backprop(ruled, LOSS, params, x, Y)[0] == nn.backprop(net, LOSS, params, x, Y)[0]
    turned = WithBackward(Join(CrossAttention(5)), GradientReversal(2.0))
    y, residuals = turned.layer.forward(params := turned.init(KEY, x), x)
    plain = turned.layer.backward(params, residuals, y, nn.gradient)[0]
    found = turned.backward(params, (residuals, ()), y, nn.gradient)[0]
    assert_trees_close(found, jax.tree.map(lambda d: -2 * d, plain), rtol=0)
    with pytest.raises(TypeError, match="expected layers from one array to one, got a hidden"):
        WithBackward(net, DirectFeedbackAlignment()).init(KEY, x)


A, B = jnp.zeros((3, 5)), jnp.zeros((3, 5))
REFUSED = [
    (lambda: run(serial(nn.tanh, Dense(3)), (A, B)), r"^\[0\] tanh: .*one array, got a tuple of 2"),
    (lambda: run(nn.Flatten(), (A, B)), r"write Main\(Flatten\(\)\) for the first"),
    (lambda: run(Embedding(3, 2), (A, B)), r"Take\(i\) in front"),
    (lambda: run(Main(nn.tanh), A), r"Main\(tanh\): expected x to be a tuple.*or leave Main out"),
    (lambda: run(Take(2), (A, B)), r"Take\(2\): expected x with an entry \[2\], got 2: \(float32"),
    (lambda: Take(-1), "Take: expected i to be a whole number >= 0, got -1"),
    (lambda: Join("LSTM"), r"Join: expected a layer at \[0\], got 'LSTM'"),
    (lambda: run(Join(Main(nn.tanh)), (A, B)), "expected a layer that returns one array, got .*32"),
    (lambda: run(Skip(Take(0)), (A, B)), r"from tuple to tuple, got float32 \(3, 5\) of \(float32"),
    (lambda: run(Skip(Main(Dense(2))), (A, B)), r"to keep the shape \(3, 5\) of x, got \(3, 2\)"),
    (lambda: run(Parallel((Main(nn.tanh),), "sum"), (A, B)), r"side by side, got .*end it with"),
    (lambda: run(Repeat(Take(0), 2), (A, B)), r"shape and dtype of x, \(float32.*, got float32"),
    (lambda: asked((A, B[1:]), Take(0)), r"one length.*\(3, 5\), float32 \(2, 5\)\); repeat what"),
    (lambda: asked((A, B), Main(nn.tanh)), r"softmax_cross_entropy: .*end it with Take\(0\)"),
    (lambda: nn.predict(Take(0), (), (A[:0], B[:0])), "one or more examples along its first axis"),
]


def run(net, x):
    return net.forward(net.init(KEY, x), x)


def asked(x, net):
    return nn.backprop(net, LOSS, (), x, jnp.zeros(3, int))


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_tuple_of_numbers_is_one_array():
    rows = ((0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
    net = Dense(2)
    params = net.init(KEY, jnp.zeros((3, 2)))
    assert_trees_close(nn.predict(net, params, rows), nn.predict(net, params, jnp.asarray(rows)))
