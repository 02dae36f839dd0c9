"""Readings of single examples where batch-norm mixes them: refused, or one of three meanings."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, backprop, freeze, serial, softmax_cross_entropy
from jaxnn.readings import (
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
from jaxnn.training.inference import Statistics
from tests.compare import KEY, assert_trees_close, draw

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(3, bias=False), BatchNorm(), nn.relu, Dense(2))
DEEP = serial(
    Dense(3, bias=False), BatchNorm(), nn.tanh, Dense(4), BatchNorm(learned=False), nn.tanh,
    nn.Dropout(0.2), Dense(2),
)  # fmt: skip
NESTED = serial(serial(Dense(3), nn.Skip(serial(BatchNorm(), nn.tanh))), nn.Flatten(), Dense(2))
CASES = [(NET, (5, 4)), (DEEP, (5, 4)), (NESTED, (4, 3, 2)), (nn.Skip(NET), (5, 2)),
         (serial(Dense(2, bias=False), BatchNorm()), (5, 4)),
         (serial(Dense(4), BatchNorm(), nn.Flatten(), Dense(2)), (3, 2, 5))]  # fmt: skip
over_cases = pytest.mark.parametrize(("net", "shape"), CASES, ids=lambda v: str(v)[:40])


def batch(net=NET, shape=(5, 4)):
    x = draw(jnp.zeros(shape), 1)
    y = np.arange(len(x)) % 2
    return draw(jax.eval_shape(net.init, KEY, x), 2), x, y


def values(net, params, x, y):
    z = net.forward(params, x, KEY)[0]
    return -jnp.take_along_axis(jax.nn.log_softmax(z), jnp.asarray(y)[..., None], -1)[..., 0]


def assert_alike(got, want):
    """Close, where a bias in front of batch-norm may be 0 or the rounding of 0."""
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(want))
    for a, e in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-9, atol=1e-13 * scale)


@functools.partial(jax.jit, static_argnames="mixing", compiler_options=QUICK)
def read(net, params, x, y, weights, reading, mixing="error"):
    loss = softmax_cross_entropy
    return backprop(net, loss, params, x, y, KEY, weights=weights, read=reading, mixing=mixing)[1]


@functools.partial(jax.jit, compiler_options=QUICK)
def by_autodiff(net, params, x, y):
    return jax.jacrev(lambda p: values(net, p, x, y))(params)


@x64
@over_cases
def test_exact_is_the_derivative_of_each_loss_through_the_statistics(net, shape):
    params, x, y = batch(net, shape)
    w = np.linspace(0.5, 2, len(x))
    asked = (per_example, gradient, squared_norms)
    each, grads, squares = read(net, params, x, y, w, asked, "exact")
    want = by_autodiff(net, params, x, y)
    assert_alike(each, want)
    assert_alike(grads, jax.tree.map(lambda g: np.tensordot(w / w.sum(), g, 1), want))
    assert_alike(squares, jax.tree.map(lambda g: (g.reshape(len(g), -1) ** 2).sum(1), want))


@x64
def test_in_front_of_the_last_batch_norm_no_gradient_is_formed():
    params, x, y = batch()
    _, found = backprop(NET, softmax_cross_entropy, params, x, y, read=factors, mixing="exact")
    assert isinstance(found[0].w, nn.core.Tied)
    assert isinstance(found[3].w, nn.core.Outer)


@x64
@pytest.mark.parametrize(("net", "shape"), CASES[1:3], ids=["deep", "nested"])
def test_attribution_adds_up_to_the_gradient(net, shape):
    params, x, y = batch(net, shape)
    for w in (None, np.linspace(0, 2, len(x))):
        each, grads = read(net, params, x, y, w, (per_example, gradient), "attribution")
        c = 1 / len(x)  # the mean weight of a mean
        assert_alike(jax.tree.map(lambda g, c=c: c * g.sum(0), each), grads)
        assert_alike(grads, read(net, params, x, y, w, gradient))


@x64
def test_frozen_is_the_network_with_the_statistics_of_this_batch():
    params, x, y = batch()
    asked = (per_example, gradient, squared_norms, clipped(0.5, despite_mixing=True))
    _, found = backprop(NET, softmax_cross_entropy, params, x, y, read=asked, mixing="frozen")
    statistics = NET.observe(NET.forward(params, x)[1])
    net, p = freeze(NET, params, Statistics(jnp.ones(()), statistics))
    _, want = backprop(net, softmax_cross_entropy, p, x, y, read=asked[:2])
    weights_of = lambda tree: (tree[0], tree[3])  # noqa: E731 - what the two networks share
    assert_trees_close(weights_of(found[0]), weights_of(want[0]))
    assert_trees_close(weights_of(found[1]), weights_of(want[1]))
    z, dy = NET.forward(params, x)[1][1][0], want[0][1].shift
    xhat = (z - z.mean(0)) / np.sqrt(z.var(0) + nn.BatchNorm().eps)
    assert_trees_close(found[0][1], nn.core.ScaleShift(dy * xhat, dy))


def test_the_three_differ():
    params, x, y = batch()
    first = [
        backprop(NET, softmax_cross_entropy, params, x, y, read=per_example, mixing=mixing)[1][0].w
        for mixing in ("frozen", "attribution", "exact")
    ]
    for i in range(3):
        assert float(jnp.abs(first[i] - first[i - 1]).max()) > 0.01


@pytest.mark.parametrize(
    "reading",
    [per_example, squared_norms, second_moment, variance, noise_scale, gram, weighted(np.ones(5)),
     directional(batch()[0]), (gradient, squared_norms)],
    ids=lambda reading: str(reading)[:20],
)  # fmt: skip
def test_readings_of_single_examples_are_refused_by_the_name_of_the_layer(reading):
    params, x, y = batch()
    message = r"\[1\] BatchNorm\(\); choose mixing='frozen'.*'attribution'.*'exact'"
    with pytest.raises(ValueError, match=message):
        backprop(NET, softmax_cross_entropy, params, x, y, read=reading)


@pytest.mark.parametrize("mixing", ["error", "frozen", "attribution", "exact"])
def test_clipping_refuses_every_mode(mixing):
    params, x, y = batch()
    with pytest.raises(ValueError, match=r"clipped: .*\[1\] BatchNorm\(\); no bound holds"):
        backprop(NET, softmax_cross_entropy, params, x, y, read=clipped(1.0), mixing=mixing)


def test_clipping_despite_mixing_still_wants_a_mode():
    params, x, y = batch()
    with pytest.raises(ValueError, match="choose mixing="):
        backprop(NET, softmax_cross_entropy, params, x, y, read=clipped(1.0, despite_mixing=True))


def test_an_unknown_mode_is_refused():
    params, x, y = batch()
    with pytest.raises(ValueError, match=r"expected mixing to be one of .* got 'ghost'"):
        backprop(NET, softmax_cross_entropy, params, x, y, mixing="ghost")


def test_without_mixing_a_mode_changes_nothing():
    net = serial(Dense(3), nn.tanh, Dense(2))
    params, x, y = batch(net)
    plain = backprop(net, softmax_cross_entropy, params, x, y, read=squared_norms)
    for mixing in ("frozen", "attribution", "exact"):
        got = backprop(net, softmax_cross_entropy, params, x, y, read=squared_norms, mixing=mixing)
        assert_trees_close(got, plain, rtol=0)
