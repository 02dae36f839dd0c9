"""The digits of float32: values and derivatives of activations and losses, beside float64.

A result may be that of an input rounded in its last digits, which for f at x is |x f'(x)| eps, and
be rounded itself. So each has to keep its relative digits in a tail, where it is tiny, and may lose
them where it crosses zero. What is below 1e-35 is not looked at: an e^x on the way there is
subnormal, and the CPU takes it for 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.layers.elementwise import Activation
from tests.cases import PUBLIC

ROUNDINGS, TINY = 8, 1e-35
# Their derivatives are taken from y, which the next layer keeps anyway. Near y = 1 that has no
# digits of 1 - y left: the error is eps, measured on the size of dy, as in jax.nn.
FROM_Y = {nn.sigmoid, nn.tanh}
LAYERS = sorted({c.layer for c in PUBLIC if isinstance(c.layer, Activation)}, key=repr)
SIZES = np.logspace(-20, 2, 2001)
GRID = np.concatenate([-SIZES[::-1], SIZES]).astype(np.float32)


def off(f, absolute=0.0):
    """The largest error of f in float32, as a multiple of what is allowed."""
    x = jnp.asarray(GRID)
    with jax.enable_x64(True):
        wide = x.astype(jnp.float64)
        exact = np.asarray(f(wide))
        moved = np.abs(GRID * np.asarray(jax.grad(lambda x: f(x).sum())(wide)))
    allowed = ROUNDINGS * np.finfo(np.float32).eps * (np.abs(exact) + moved + absolute) + TINY
    return (np.abs(np.asarray(jax.jit(f)(x)).astype(float) - exact) / allowed).max()


def in_first(layer):
    """The layer on (x, 0) if it mixes features, seen in its first entry."""

    def wide(x):
        return jnp.stack([x, jnp.zeros_like(x)], -1) if layer == nn.softmax else x

    def narrow(y):
        return y[..., 0] if layer == nn.softmax else y

    return wide, narrow


def value(layer):
    wide, narrow = in_first(layer)
    return lambda x: narrow(layer.forward((), wide(x))[0])


def derivative(layer):
    wide, narrow = in_first(layer)

    def f(x):
        _, residuals = layer.forward((), wide(x))
        dy = jnp.ones_like(x)
        if layer == nn.softmax:
            dy = jnp.stack([dy, jnp.zeros_like(dy)], -1)
        return narrow(layer.backward((), residuals, dy, lambda factor: factor)[0])

    return f


def second(layer):
    return lambda x: layer.second(layer.forward((), x)[1])


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_an_activation_keeps_its_digits(layer):
    assert off(value(layer)) <= 1


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_a_derivative_keeps_its_digits(layer):
    assert off(derivative(layer), absolute=layer in FROM_Y) <= 1


@pytest.mark.parametrize("layer", [a for a in LAYERS if a.curved and a != nn.softmax], ids=str)
def test_a_second_derivative_keeps_its_digits(layer):
    assert off(second(layer), absolute=layer in FROM_Y) <= 1


LOSSES = [
    (nn.softmax_cross_entropy, jnp.asarray(0)),
    (nn.softmax_cross_entropy, jnp.asarray(1)),
    (nn.softmax_cross_entropy, jnp.asarray([1.0, 0.0])),
    (nn.softmax_cross_entropy, jnp.asarray([0.0, 1.0])),
    (nn.sigmoid_cross_entropy, jnp.asarray([1.0, 0.0])),
    (nn.sigmoid_cross_entropy, jnp.asarray([0.0, 1.0])),
    (nn.sigmoid_cross_entropy.replace(positive_weight=3.0), jnp.asarray([1.0, 0.0])),
]


@pytest.mark.parametrize(("loss", "y"), LOSSES, ids=str)
@pytest.mark.parametrize("part", [0, 1], ids=["value", "delta"])
def test_a_loss_keeps_its_digits(loss, y, part):
    def f(x):
        z = jnp.stack([x, jnp.full_like(x, -200.0)], -1)  # the second entry adds nothing
        if loss.name == "softmax_cross_entropy":
            z = z.at[..., 1].set(0)
        found = loss(z, jnp.broadcast_to(y, z.shape[:1] + y.shape))[part]
        return found if part == 0 else found[..., 0]

    assert off(f) <= 1


@pytest.mark.parametrize(
    ("f", "x", "exact"),
    [
        (value(nn.gelu), -5.0, -1.4332577e-06),
        (value(nn.gelu), -5.5, -1.0444284e-07),
        (derivative(nn.elu), -16.5, 6.8256034e-08),
        (derivative(nn.elu(0.7)), -20.0, 1.4428075e-09),
    ],
)
def test_tails_that_were_lost_once(f, x, exact):
    assert float(f(jnp.asarray(x, jnp.float32))) == pytest.approx(exact, rel=1e-6)


def test_the_search_for_lost_digits_finds_them():
    def by_erf(x):
        return x * (0.5 + 0.5 * jax.lax.erf(x / np.sqrt(2).astype(x.dtype)))

    assert off(by_erf) > 1e3
    assert off(lambda x: jnp.where(x > 0, 1, jnp.expm1(jnp.minimum(x, 0)) + 1)) > 1e3


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_gelu_is_that_of_float64_in_every_dtype(dtype, x64):
    x = jnp.asarray(GRID, dtype)
    exact = np.asarray(nn.gelu.forward((), x.astype(float))[0])
    found = nn.gelu.forward((), x)[0]
    assert found.dtype == dtype
    eps = float(jnp.finfo(dtype).eps)
    tiny = float(jnp.finfo(dtype).tiny) * 100
    np.testing.assert_allclose(found.astype(float), exact, rtol=2 * eps, atol=tiny)


def test_the_two_forms_of_gelu_differ_by_what_is_said(x64):
    x = jnp.linspace(-9, 9, 4001)
    apart = jnp.abs(nn.gelu.forward((), x)[0] - nn.gelu("tanh").forward((), x)[0]).max()
    assert 4e-4 < float(apart) < 5e-4
    np.testing.assert_allclose(
        nn.gelu("tanh").forward((), x)[0], jax.nn.gelu(x, approximate=True), atol=1e-14
    )
    with pytest.raises(ValueError, match=r"form to be one of \('erf', 'tanh'\), got 'fast'"):
        nn.gelu("fast")
