"""Steps and epochs in micro-batches: the updates of whole mini-batches in the memory of a part."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.bench.method import temporary
from jaxnn import SGD, Dense, serial, softmax_cross_entropy
from tests.compare import KEY, assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(7), nn.sigmoid, Dense(3))
N = 17


def data(n=N):
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(n, 5))), jnp.asarray(rng.integers(0, 3, n))


def start(net, x):
    """A state to train from, without compiling the draws of an initialisation."""
    params = draw(jax.eval_shape(net.init, KEY, x), 2)
    return nn.State(params, SGD(0.5, momentum=0.5).init(params))


def epoch(micro_batches, net=NET, batch_size=6, weights=None):
    x, y = data()
    order = np.random.default_rng(0).permutation(N)
    return nn.train_epoch(
        net,
        softmax_cross_entropy,
        SGD(0.5, momentum=0.5),
        start(net, x),
        x,
        y,
        order,
        batch_size=batch_size,
        options=nn.Options(weights, nn.l2(0.1), micro_batches=micro_batches),
    )


@x64
@pytest.mark.parametrize(
    ("micro_batches", "batch_size", "weights"),
    [
        (2, 6, None),  # the last 5 rows: two parts of 3, filled up
        (3, 6, np.linspace(0.0, 2.0, N)),  # three parts of 2, filled up
        (2, 14, None),  # the last 3 rows, in one part of 3
    ],
)
def test_an_epoch_makes_the_updates_of_whole_mini_batches(micro_batches, batch_size, weights):
    given = {"batch_size": batch_size, "weights": weights}
    assert_trees_close(epoch(micro_batches, **given), epoch(1, **given))


@x64
def test_a_step_uses_the_gradient_of_accumulate_and_its_keys():
    net, (x, y), w = serial(nn.Dropout(0.5), NET), data(8), np.linspace(0.5, 1, 8)
    state = start(net, x)._replace(optimizer=SGD(1.0).init(None))
    given = {"micro_batches": 4, "weights": w}
    training = net, softmax_cross_entropy, SGD(1.0), state, x, y, KEY
    moved, value = nn.train_step(*training, options=nn.Options(**given))
    wanted, grads = nn.accumulate(net, softmax_cross_entropy, state.params, x, y, KEY, **given)
    assert_trees_close(value, wanted)
    assert_trees_close(jax.tree.map(jnp.subtract, state.params, moved.params), grads)


def test_the_memory_of_a_step_is_that_of_a_part():
    net = serial(Dense(64), nn.relu, Dense(64), nn.relu, Dense(3))
    x, y = jnp.zeros((512, 8)), jnp.zeros(512, int)
    state = jax.eval_shape(functools.partial(nn.start, net, SGD(0.1), x=x), KEY)

    def memory(parts):
        def step(state):
            return nn.train_step(
                net,
                softmax_cross_entropy,
                SGD(0.1),
                state,
                x,
                y,
                options=nn.Options(micro_batches=parts),
            )

        return temporary(jax.jit(step).lower(state).compile())

    assert memory(8) < memory(1) / 3


class Mean(nn.Layer):
    """The identity; what it observes is the mean of x, though no example depends on another."""

    def forward(self, params, x, key=None):
        return x, x.mean(0)

    def backward(self, params, residuals, dy, read):
        return dy, ()

    def observe(self, residuals):
        return residuals


@x64
def test_what_is_observed_is_the_mean_over_the_parts():
    x, y = data(8)
    net = serial(Mean(), NET)
    state = nn.start(net, SGD(0.1), KEY, x)
    moved, _ = nn.train_step(
        net, softmax_cross_entropy, SGD(0.1), state, x, y, options=nn.Options(micro_batches=2)
    )
    assert moved.statistics is not None
    assert_trees_close(moved.statistics.average[0], x.mean(0))


def step(net=NET, **given):
    x, y = data(8)
    state = start(net, x)
    options = nn.Options(**given)
    return nn.train_step(net, softmax_cross_entropy, SGD(0.1), state, x, y, options=options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: step(micro_batches=3), "divides the 8 examples, got 3"),
        (lambda: step(micro_batches=0), "divides the 8 examples, got 0"),
        (lambda: epoch(4), "divides the 6 examples, got 4"),
        (lambda: epoch(2, serial(NET, nn.BatchNorm())), r"got \[1\] BatchNorm\(\); take the full"),
    ],
)
def test_what_has_no_parts_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
