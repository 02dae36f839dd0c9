"""Through the loss some positions at a time: what the layer is, in the memory of a part."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.bench.method import temporary
from jaxnn import (
    BatchNorm,
    Chunked,
    Dense,
    Dropout,
    Embedding,
    MixedPrecision,
    Recompute,
    Tie,
    serial,
)
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM
from tests.test_repeat import QUICK

HEAD = serial(nn.LayerNorm(), nn.silu, Dense(5))
READ = (
    nn.gradient,
    nn.readings.weighted(np.arange(3.0)),
    nn.per_example,
    nn.squared_norms,
    nn.clipped(0.3),
    nn.readings.second_moment,
    nn.readings.variance,
    nn.curvature.kronecker,
)
AROUND = {
    "serial": lambda head: serial(Dense(7), nn.tanh, head),
    "alone": lambda head: head,
    "Recompute": lambda head: Recompute(serial(Dense(7), head)),
    "MixedPrecision": lambda head: MixedPrecision(serial(Dense(7), head), "float64"),
    "Tie": lambda head: Tie(serial(Dense(5), nn.tanh, head), ("[0].b", "[2][2].b")),
}
X = {"rows": (3, 5), "time": (3, 7, 5), "field": (3, 7, 2, 5)}


def both(around, shape, n, read, loss=nn.softmax_cross_entropy, weights=None):
    """What `backprop` gives with the head in parts of n, and as it is."""
    nets = [AROUND[around](head) for head in (Chunked(HEAD, n), HEAD)]
    x = draw(jnp.zeros(shape), 1)
    y = jnp.asarray(np.random.default_rng(2).integers(0, 5, shape[:-1]))
    params = draw(jax.eval_shape(nets[0].init, KEY, x), 3)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(params, x):
        return [nn.backprop(net, loss, params, x, y, weights=weights, read=read) for net in nets]

    return run(params, x)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("n", [1, 6, 9], ids=lambda n: f"n={n}")
@pytest.mark.parametrize("kind", X)
def test_all_readings_are_those_of_the_layer(kind, n):
    assert_trees_close(*both("serial", X[kind], n, READ), rtol=1e-11)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("kind", ["rows", "time"])
@pytest.mark.parametrize("around", AROUND)
def test_a_linear_reading_is_added_up_inside_every_combinator(around, kind):
    read, weights = READ[:2], jnp.array([0.5, 0.0, 2.0])
    assert_trees_close(*both(around, X[kind], 2, read, weights=weights), rtol=1e-11)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    "loss",
    [
        nn.softmax_cross_entropy.replace(ignore_index=3),
        nn.softmax_cross_entropy.replace(reduction="none", smoothing=0.1),
        nn.softmax_cross_entropy.replace(reduction="sum"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("weights", [None, np.arange(21.0).reshape(3, 7)], ids=["", "weights"])
def test_any_loss_and_weights_of_positions(loss, weights):
    assert_trees_close(*both("serial", X["time"], 6, READ, loss, weights), rtol=1e-11)


def test_it_trains_in_micro_batches_with_a_penalty_as_the_layer_does():
    x = draw(jnp.zeros((4, 3, 5)), 1)
    y = jnp.asarray(np.random.default_rng(2).integers(0, 5, (4, 3)))
    found = []
    for head in (Chunked(Dense(5), 4), Dense(5)):
        net, optimizer = serial(Dense(7), nn.tanh, head), nn.SGD(0.1)
        state = nn.start(net, optimizer, KEY, x)
        options = nn.Options(penalty=nn.l2(1e-2), micro_batches=2)
        given = net, nn.softmax_cross_entropy, optimizer, state, x, y
        found.append(nn.train_step(*given, options=options)[0].params)
        assert nn.evaluate(*given[:2], state.params, x, y, metrics=(nn.accuracy,))
        found[-1] = found[-1], nn.curvature.hvp(*given[:2], state.params, x, y, state.params)
    assert_trees_close(*found, rtol=1e-5)


@pytest.mark.parametrize("kind", X)
@pytest.mark.parametrize("batch_size", [0, 2])
def test_it_is_evaluated_in_parts(kind, batch_size):
    x = draw(jnp.zeros(X[kind]), 1)
    y = np.random.default_rng(2).integers(0, 5, x.shape[:-1])
    weights, loss = np.arange(3.0), nn.softmax_cross_entropy.replace(ignore_index=3)
    params = draw(jax.eval_shape(serial(HEAD).init, KEY, x), 3)
    found = [
        nn.evaluate(
            serial(head),
            loss,
            params,
            x,
            y,
            weights=weights,
            metrics=(nn.accuracy, nn.perplexity),
            batch_size=batch_size,
        )
        for head in (Chunked(HEAD, 2), HEAD)
    ]
    assert_trees_close(*found, rtol=1e-6)


def every_position(outputs, y):
    """A score of an example as one."""
    return (outputs.argmax(-1) == y).all(1).astype(outputs.dtype)


def test_a_metric_of_whole_examples_sees_them_whole():
    x = draw(jnp.zeros(X["time"]), 1)
    params = draw(jax.eval_shape(HEAD.init, KEY, x), 3)
    y = np.array(nn.predict(HEAD, params, x).argmax(-1))
    y[0, 6] += 1
    given = nn.softmax_cross_entropy, params, x, y % 5
    found = nn.evaluate(Chunked(HEAD, 6), *given, metrics=(every_position,))
    assert_trees_close(found, nn.evaluate(HEAD, *given, metrics=(every_position,)), rtol=1e-6)
    assert found["every_position"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", ["rows", "time"])
def test_a_backward_rule_goes_back_in_parts(kind):
    x = draw(jnp.zeros(X[kind]), 1)
    y = np.random.default_rng(2).integers(0, 5, x.shape[:-1])
    head = nn.feedback.WithBackward(Dense(5), nn.feedback.FeedbackAlignment())
    params = draw(jax.eval_shape(head.init, KEY, x), 3)
    read = (nn.gradient, nn.squared_norms)
    found = [
        nn.backprop(net, nn.softmax_cross_entropy, params, x, y, read=read)
        for net in (Chunked(head, 2), head)
    ]
    assert_trees_close(*found, rtol=1e-5)


def temporaries(net, params, x, y):
    def run(params, x, y):
        return nn.backprop(net, nn.softmax_cross_entropy, params, x, y)

    return temporary(jax.jit(run).lower(params, x, y).compile())


IDS = jnp.zeros((4, 32), int)
LEAN = {
    "serial": (lambda head: serial(nn.tanh, head), jnp.zeros((128, 16))),
    "Tie": (
        lambda head: Tie(serial(Embedding(2048, 16), head), ("[0].rows", "[1].w")),
        IDS,
    ),
    "MixedPrecision": (lambda head: MixedPrecision(serial(nn.tanh, head)), jnp.zeros((128, 16))),
    "Recompute": (lambda head: Recompute(serial(nn.tanh, head)), jnp.zeros((4, 32, 16))),
}


@pytest.mark.parametrize("around", LEAN)
def test_no_array_holds_all_logits(around):
    build, x = LEAN[around]
    y = jnp.zeros(x.shape[: 2 if around in ("Tie", "Recompute") else 1], int)
    sizes = []
    for head in (Chunked(Dense(2048), 16), Dense(2048)):
        net = build(head)
        params = jax.eval_shape(net.init, KEY, x)
        sizes.append(temporaries(net, params, x, y))
    assert sizes[0] < 0.5 * sizes[1]


def test_no_array_holds_all_logits_in_evaluation():
    x, y, sizes = jnp.zeros((128, 16)), jnp.zeros(128, int), []
    for head in (Chunked(Dense(2048), 16), Dense(2048)):
        params = jax.eval_shape(head.init, KEY, x)

        def run(params, x, y, net=head):
            return nn.evaluate(net, nn.softmax_cross_entropy, params, x, y, metrics=(nn.accuracy,))

        compiled = jax.jit(run).lower(params, x, y).compile()
        sizes.append(temporary(compiled))
    assert sizes[0] < 0.5 * sizes[1]


REFUSED = [
    (lambda: Chunked(LSTM(5), 2), "takes each position by itself, got LSTM"),
    (lambda: Chunked(serial(Dense(5), BatchNorm()), 2), "each position by itself, got BatchNorm"),
    (lambda: Chunked(Dense(5), 0), "Chunked: expected n to be a whole number >= 1"),
    (
        lambda: nn.backprop(
            serial(Dense(5), Chunked(Dropout(0.5), 2)),
            nn.half_square,
            (nn.Affine(jnp.ones((5, 5)), jnp.ones(5)), ()),
            jnp.ones((3, 5)),
            jnp.ones((3, 5)),
            KEY,
        ),
        r"^\[1\] Chunked\(Dropout\(0.5\), 2\): expected a layer that draws nothing; ",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_cannot_be_cut_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
