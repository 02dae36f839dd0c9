"""The smooth relatives of relu at the ends of their range, where formulas overflow or cancel."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn

X = np.concatenate([np.linspace(-30, 30, 6001), [-1e4, -100, 100, 1e4, 0.0, -0.0]])


def both(layer, dtype):
    x = jnp.asarray(X, dtype)
    y, residuals = layer.forward((), x)
    dx, _ = layer.backward((), residuals, jnp.ones_like(y), lambda factor: factor)
    return np.asarray(y, np.float64), np.asarray(dx, np.float64), np.asarray(x, np.float64)


def phi(x):
    return np.vectorize(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)))(x)


def test_gelu_is_off_by_what_its_docstring_says():
    y, dx, x = both(nn.gelu, jnp.float32)
    assert np.abs(y - x * phi(x)).max() <= 2e-7 * np.abs(x).max()
    near = np.abs(x) <= 30
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    assert np.abs(dx - phi(x) - x * density)[near].max() <= 4e-7
    assert (y[x < 0] <= 0).all()  # which a Phi below 0 would not give


@pytest.mark.usefixtures("x64")
def test_gelu_in_float64_is_exact_to_rounding():
    y, _, x = both(nn.gelu, jnp.float64)
    assert np.abs(y - x * phi(x)).max() <= 3e-16 * np.abs(x).max()


def test_gelu_in_bfloat16_is_the_rounded_one():
    y, _, x = both(nn.gelu, jnp.bfloat16)
    want = x * phi(x)
    assert (np.abs(y - want) <= 2**-7 * np.abs(want) + 1e-5).all()


def test_softplus_keeps_its_digits_far_below_zero():
    y, dx, x = both(nn.softplus, jnp.float32)
    inside = (x > -80) & (x < 80)  # e^-80 is near the least normal number
    assert y[inside] == pytest.approx(np.log1p(np.exp(x[inside])), rel=1e-6)
    assert dx[inside] == pytest.approx(1 / (1 + np.exp(-x[inside])), rel=1e-6)
    assert y[np.argmax(x)] == x.max()
    assert (y[x < -100] == 0).all()
    assert np.isfinite(dx).all()


def test_softplus_has_its_derivatives_at_zero():
    def value(x):
        return nn.softplus.forward((), x)[0]

    for order, want in ((1, 0.5), (2, 0.25)):
        function = value
        for _ in range(order):
            function = jax.grad(function)
        assert float(function(0.0)) == pytest.approx(want)
