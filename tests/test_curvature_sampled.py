"""The sampled diagonal: its mean, its error, its spread beside that of targets; and the memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnn as nn
from jaxnn.curvature.diagonals import ggn_diagonal, sampled_ggn_diagonal
from jaxnn.curvature.products import hvp
from jaxnn.readings import second_moment
from jaxnn.sweep.backpropagation import forward_sweep
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import objective
from tests.compare import KEY, draw

NET, LOSS = nn.serial(nn.Dense(5), nn.tanh, nn.Dense(3)), nn.softmax_cross_entropy


def setting(shape=(7, 4), net=NET):
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=shape)), jnp.asarray(rng.integers(0, 3, shape[:-1]))
    return net, LOSS, draw(jax.eval_shape(net.init, KEY, x), 1), x, y.astype(jnp.int32)


@pytest.mark.usefixtures("x64")
def test_the_mean_of_samples_is_the_diagonal_within_its_standard_error():
    given = setting((3, 2, 4))
    exact = ravel_pytree(ggn_diagonal(*given))[0]
    few, many = (sampled_ggn_diagonal(*given, KEY, samples=k) for k in (100, 1600))
    mean, error = ravel_pytree(many.mean)[0], ravel_pytree(many.standard_error)[0]
    off = (mean - exact)[error > 0] / error[error > 0]
    assert 0.5 < np.sqrt((off**2).mean()) < 1.5  # 1 if the error is what it says; seeds are fixed
    assert abs(off).max() < 5
    np.testing.assert_allclose(mean[error == 0], exact[error == 0], rtol=1e-9)
    ratio = np.linalg.norm(ravel_pytree(few.standard_error)[0]) / np.linalg.norm(error)
    assert 3 < ratio < 5  # sqrt(1600 / 100)


@pytest.mark.usefixtures("x64")
def test_two_samples_give_their_mean_and_half_their_distance():
    net, loss, params, x, y = given = setting()
    found = sampled_ggn_diagonal(*given, KEY, samples=2)

    @jax.jit
    def one(key):
        swept = forward_sweep(Objective(net, loss), params, Batch(x, y))
        signs = jax.random.rademacher(key, swept.outputs.shape, swept.outputs.dtype)
        return ravel_pytree(swept.back(swept.root(signs), second_moment))[0]

    a, b = (one(key) for key in jax.random.split(KEY, 2))
    np.testing.assert_allclose(ravel_pytree(found.mean)[0], (a + b) / 2, rtol=1e-12)
    error = ravel_pytree(found.standard_error)[0]
    np.testing.assert_allclose(error, abs(a - b) / 2, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_signs_have_less_spread_than_sampled_targets():
    z = jnp.asarray([[4.0, 0.0, -1.0]])  # an example that is all but certain
    p, keys = jax.nn.softmax(z), jax.random.split(KEY, 4000)
    y = jnp.zeros(1, jnp.int32)

    def by_signs(key):
        return LOSS.root(z, y, jax.random.rademacher(key, z.shape, z.dtype)) ** 2

    def by_targets(key):
        return (p - jax.nn.one_hot(jax.random.categorical(key, z), 3, dtype=z.dtype)) ** 2

    both = jax.jit(jax.vmap(lambda key: (by_signs(key), by_targets(key))))
    signs, targets = (np.asarray(found)[:, 0] for found in both(keys))
    exact = np.asarray(p * (1 - p))[0]
    for drawn in (signs, targets):
        error = drawn.std(0) / np.sqrt(len(drawn))
        assert (np.abs(drawn.mean(0) - exact) < 5 * error).all()
    assert (signs.std(0) < 0.2 * targets.std(0)).all()  # 0.16, 0.04 and 0.01 times


@pytest.mark.parametrize("samples", [0, 1, True, 2.0])
def test_fewer_than_two_samples_are_refused(samples):
    with pytest.raises(ValueError, match="expected samples to be a whole number >= 2"):
        sampled_ggn_diagonal(*setting(), KEY, samples=samples)


def temporary(function, *args):
    analysis = jax.jit(function).lower(*args).compile().memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def test_memory_is_that_of_one_sweep():
    """Bytes are those XLA plans for, the same on every run of one version."""
    net = nn.serial(nn.Dense(64), nn.relu, nn.Dense(10))
    _, _, params, x, y = setting((128, 64), net)
    v = draw(params, 2)

    def value(p):
        return objective(LOSS, net.forward(p, x)[0], y)[0]

    by_hand = temporary(lambda p: hvp(net, LOSS, p, x, y, v)[1], params)
    by_autodiff = temporary(lambda p: jax.jvp(jax.grad(value), (p,), (v,))[1], params)
    assert by_hand <= 1.1 * by_autodiff

    one = temporary(lambda p: nn.backprop(net, LOSS, p, x, y), params)
    diagonal = temporary(lambda p: ggn_diagonal(net, LOSS, p, x, y), params)
    jacobian = temporary(lambda p: jax.jacrev(lambda p: net.forward(p, x)[0])(p), params)
    assert diagonal <= 3 * one
    assert diagonal <= jacobian / 100
