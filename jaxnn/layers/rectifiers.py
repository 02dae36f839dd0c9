"""Smooth relatives of `relu`, element by element: softplus, elu, gelu, silu.

Shapes and dtypes are those of `jaxnn.layers.activations`.
"""

import math
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.layer import Read
from jaxnn.core.refusals import check_floating, dtype_of
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.elementwise import Activation
from jaxnn.ranges import Finite


class Softplus(Activation, name="softplus"):
    """y = log(1 + e^x) = max(x, 0) + log(1 + u) with u = e^-|x|, dx = sigmoid(x) dy. Residuals: x.

    Source: Dugas et al. 2001, eq. 8.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        u = _exp_below(x)
        return jnp.where(x >= 0, x, 0) + jnp.log1p(u), x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        u = _exp_below(x)  # that of forward, where both sweeps are one program
        return jnp.where(x >= 0, 1, u) / (1 + u) * dy, ()

    def second(self, residuals: Tree) -> Any:
        return jax.nn.sigmoid(residuals) * jax.nn.sigmoid(-residuals)


def _exp_below(x: Tree) -> Any:
    """e^-|x|, in the branches that softplus has at 0, so that it has its derivatives there too."""
    return jnp.exp(jnp.where(x >= 0, -x, x))


class ELU(Activation, name="elu"):
    """y = x where x > 0, else alpha (e^x - 1); dx = dy, or (y + alpha) dy: at x = 0, alpha dy.

    Residuals: x and y. Source: Clevert, Unterthiner and Hochreiter 2016, eqs. 15 and 16.
    """

    alpha: Annotated[float, Finite] = 1.0
    """What it comes down to, below 0."""

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        below = jnp.where(x > 0, 0, x)  # e^x of a large x would overflow in the branch not taken
        y = jnp.where(x > 0, x, self.alpha * jnp.expm1(below))
        return y, (x, y)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x, y = residuals
        return jnp.where(x > 0, dy, (y + self.alpha) * dy), ()

    def second(self, residuals: Tree) -> Any:
        x, y = residuals
        return jnp.where(x > 0, 0, y + self.alpha)


class GELU(Activation, name="gelu"):
    """y = x Phi(x), dx = (Phi(x) + x phi(x)) dy, for the normal distribution Phi, density phi.

    Exact, without the tanh approximation; Phi is off by 2e-7 at most in float32, where it is a
    difference of numbers near 1. Residuals: x. Source: Hendrycks and Gimpel 2016, eq. 1.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        return x * _normal_cdf(x), x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        density = jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
        return (_normal_cdf(x) + x * density) * dy, ()

    def second(self, residuals: Tree) -> Any:
        x = residuals
        return (2 - x * x) * jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _normal_cdf(x: Tree) -> Any:
    """Phi by erf, which is less work than erfc; narrow dtypes are too coarse for its sum."""
    wide = x.astype(wide_dtype(x))
    return jnp.clip(0.5 + 0.5 * lax.erf(wide / math.sqrt(2)), 0, 1).astype(dtype_of(x))


class SiLU(Activation, name="silu"):
    """y = x s with s = sigmoid(x), dx = s (1 + x (1 - s)) dy. Residuals: x.

    Source: Elfwing, Uchibe and Doya 2018, eqs. 3 and 5.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        return x * jax.nn.sigmoid(x), x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        s = jax.nn.sigmoid(x)
        return s * (1 + x * (1 - s)) * dy, ()

    def second(self, residuals: Tree) -> Any:
        x, s = residuals, jax.nn.sigmoid(residuals)
        return s * (1 - s) * (2 + x * (1 - 2 * s))


softplus = Softplus()
elu = ELU()
gelu = GELU()
silu = SiLU()
