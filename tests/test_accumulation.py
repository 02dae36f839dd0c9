"""Micro-batches give what the full batch gives, for every reading and kind of weight."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.bench.method import temporary
from jaxnn import BatchNorm, Dense, backprop, serial, softmax_cross_entropy
from jaxnn.readings import (
    Reading,
    clipped,
    directional,
    factors,
    gradient,
    gram,
    noise_scale,
    per_example,
    second_moment,
    squared_norms,
    variance,
    weighted,
)
from jaxnn.sweep.accumulation import accumulate
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM, TiedTable

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(5), nn.tanh, Dense(3))
SEQUENCE = serial(LSTM(5), Dense(3))
TABLE = TiedTable(7, 3, nn.DropConnect(3, bias=False))


def batch(net, shape=(6, 4), ids=0, n=3):
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.integers(0, ids, shape)) if ids else jnp.asarray(rng.normal(size=shape))
    y = rng.integers(0, n, shape[: max(1, len(shape) - (0 if ids else 1))])
    return draw(jax.eval_shape(net.init, KEY, x), 2), x, y


def readings(params, n):
    s = np.linspace(-1, 2, n)
    sums = (gradient, second_moment, variance, noise_scale, clipped(0.5), weighted(s))
    return (*sums, per_example, squared_norms, gram, directional(draw(params, 3)))


@functools.partial(jax.jit, static_argnames=("net", "loss", "parts"), compiler_options=QUICK)
def both(net, loss, params, x, y, weights, asked, parts):
    """(from micro-batches, from the full batch) in one program."""
    given = {"weights": weights, "read": asked}
    return (
        accumulate(net, loss, params, x, y, micro_batches=parts, **given),
        backprop(net, loss, params, x, y, **given),
    )


@x64
@pytest.mark.parametrize(("parts", "weighing"), [(1, True), (2, False), (3, True), (6, False)])
def test_every_reading_is_that_of_the_full_batch(parts, weighing):
    params, x, y = batch(NET)
    w = np.array([0.5, 1.0, 0.0, 0.0, 1.0, 2.0]) if weighing else None  # a part without weight
    asked = readings(params, 6)
    assert_trees_close(*both(NET, softmax_cross_entropy, params, x, y, w, asked, parts))


@x64
def test_sequences_with_ignored_positions():
    params, x, y = batch(SEQUENCE, (4, 3, 2))
    y[0, 1:], y[1] = -1, -1
    loss = softmax_cross_entropy.replace(ignore_index=-1, class_weights=(1.0, 2.0, 0.5))
    asked = (gradient, variance, noise_scale, squared_norms, gram)
    assert_trees_close(*both(SEQUENCE, loss, params, x, y, None, asked, 2))


@x64
@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_other_reductions(reduction):
    params, x, y = batch(NET)
    loss = softmax_cross_entropy.replace(reduction=reduction)
    got = accumulate(NET, loss, params, x, y, micro_batches=3)
    assert_trees_close(got, backprop(NET, loss, params, x, y))


@x64
def test_each_part_draws_with_a_key_of_its_own():
    params, x, y = batch(TABLE, (4, 3), ids=7, n=7)
    asked = (gradient, gram)
    value, (grads, matrix) = accumulate(
        TABLE, softmax_cross_entropy, params, x, y, KEY, micro_batches=2, read=asked
    )
    halves = [
        backprop(TABLE, softmax_cross_entropy, params, x[i], y[i], k, read=(*asked, per_example))
        for i, k in zip((slice(0, 2), slice(2, 4)), jax.random.split(KEY, 2), strict=True)
    ]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *[(v, r[0]) for v, r in halves])
    assert_trees_close((value, grads), mean)
    each = jax.tree.map(
        lambda a, b: jnp.concatenate([a, b]).reshape(4, -1), *[r[2] for _, r in halves]
    )
    assert_trees_close(matrix, jax.tree.map(lambda g: g @ g.T, each))


def test_the_memory_is_that_of_a_part():
    net = serial(Dense(64), nn.relu, Dense(64), nn.relu, Dense(3))
    params, x, y = batch(net, (512, 8))
    asked = (gradient, squared_norms)

    def memory(run):
        return temporary(jax.jit(run).lower(params).compile())

    whole = memory(lambda p: backprop(net, softmax_cross_entropy, p, x, y, read=asked))
    parts = memory(lambda p: accumulate(net, softmax_cross_entropy, p, x, y, micro_batches=8,
                                        read=asked))  # fmt: skip
    assert parts < whole / 3


def from_outside(factor, c):
    return factor.contract(c)


class FromOutside(Reading):
    def of(self, factor, c):
        return factor.contract(c)


def test_a_reading_from_outside_adds_up():
    params, x, y = batch(NET)
    asked = (FromOutside(), gradient)
    _, got = accumulate(NET, softmax_cross_entropy, params, x, y, micro_batches=2, read=asked)
    assert_trees_close(*got)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"micro_batches": 4}, "divides the 6 examples, got 4"),
        ({"micro_batches": 0}, "divides the 6 examples, got 0"),
        ({"micro_batches": 2.0}, "divides the 6 examples, got 2.0"),
        ({"read": from_outside}, "say how they merge .* got the function .*from_outside"),
        ({"read": (gradient, factors)}, "factors: .* part by part"),
        ({"net": serial(Dense(5), BatchNorm(), Dense(3))}, r"got \[1\] BatchNorm\(\)"),
        ({"weights": np.ones(2)}, "weights of shape"),
    ],
)
def test_what_does_not_add_up_is_refused(change, message):
    given = {"net": NET, "micro_batches": 2} | change
    params, x, y = batch(given["net"])
    with pytest.raises(ValueError, match=message):
        accumulate(given.pop("net"), softmax_cross_entropy, params, x, y, **given)
