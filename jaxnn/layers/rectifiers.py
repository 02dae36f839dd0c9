"""Smooth relatives of `relu`, element by element: softplus, elu, gelu, silu.

Shapes and dtypes are those of `jaxnn.layers.activations`.
"""

import math
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.layer import Read
from jaxnn.core.ranges import Finite
from jaxnn.core.refusals import check_floating, dtype_of
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.elementwise import Activation


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
    """y = x where x > 0, else alpha (e^x - 1); dx = dy, or alpha e^x dy: at x = 0, alpha dy.

    Residuals: x, from which e^x keeps its digits; the y + alpha of the source cancels where y comes
    near -alpha. Source: Clevert, Unterthiner and Hochreiter 2016, eqs. 15 and 16.
    """

    alpha: Annotated[float, Finite] = 1.0
    """What it comes down to, below 0."""

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        below = jnp.where(x > 0, 0, x)  # e^x of a large x would overflow in the branch not taken
        return jnp.where(x > 0, x, self.alpha * jnp.expm1(below)), x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        return jnp.where(x > 0, dy, self.alpha * jnp.exp(jnp.where(x > 0, 0, x)) * dy), ()

    def second(self, residuals: Tree) -> Any:
        x = residuals
        return jnp.where(x > 0, 0, self.alpha * jnp.exp(jnp.where(x > 0, 0, x)))


class GELU(Activation, name="gelu"):
    """y = x Phi(x), dx = (Phi(x) + x phi(x)) dy, for the normal distribution Phi, density phi.

    `gelu` is exact, and keeps its relative digits where Phi is small. `gelu("tanh")` is the
    approximation that some published models were trained with,

        y = x s,   s = 1/2 (1 + tanh(v/2)) = sigmoid(v),   v = sqrt(8/pi) (x + 0.044715 x^3)

    with its own derivative, dx = (s + x s (1 - s) v') dy; the two differ by 5e-4 at most.
    Residuals: x. Raises ValueError for another form. Source: Hendrycks and Gimpel 2016, eq. 1 and
    section 2.
    """

    form: Literal["erf", "tanh"] = "erf"
    """By the error function, which is exact, or by tanh."""

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        share = _normal_cdf(x) if self.form == "erf" else jax.nn.sigmoid(_cubic(x)[0])
        return x * share, x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        if self.form == "erf":
            return (_normal_cdf(x) + x * _normal_density(x)) * dy, ()
        v, slope, _ = _cubic(x)
        s, rest = jax.nn.sigmoid(v), jax.nn.sigmoid(-v)
        return s * (1 + x * rest * slope) * dy, ()

    def second(self, residuals: Tree) -> Any:
        x = residuals
        if self.form == "erf":
            return (2 - x * x) * _normal_density(x)
        v, slope, bend = _cubic(x)
        s, rest = jax.nn.sigmoid(v), jax.nn.sigmoid(-v)
        return s * rest * (2 * slope + x * ((rest - s) * slope * slope + bend))


def _normal_density(x: Tree) -> Any:
    return jnp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _normal_cdf(x: Tree) -> Any:
    """Phi, with a relative error of a few rounding errors on both sides.

    0.5 + 0.5 erf cancels where x < 0, and XLA's erfc takes 1.8 times as long. So in float32

        Phi(-a) = e^(-a^2/2) t q(t),   t = 1 / (1 + a/4),   a >= 0

    with q fitted to a relative 4e-8 over all a. The e^ is that of the density, computed once.
    """
    if x.dtype.itemsize > 4:
        return 0.5 * lax.erfc(-x / math.sqrt(2))
    wide = x.astype(wide_dtype(x))
    t = 1 / (1 + 0.25 * jnp.abs(wide))
    q = jnp.full_like(t, _TAIL[-1])
    for coefficient in _TAIL[-2::-1]:
        q = q * t + coefficient
    below = jnp.exp(-0.5 * wide * wide) * t * q
    return jnp.where(wide < 0, below, 1 - below).astype(dtype_of(x))


# of t^0 to t^9: least squares in relative error, weights moved to where it was largest
_TAIL = (
    *(0.0997355667, 0.0997364316, 0.0934663553, 0.0816031100, 0.0589751364),
    *(0.0636991702, -0.0317176549, 0.0955972419, -0.0808774063, 0.0197820320),
)


def _cubic(x: Tree) -> tuple[Any, Any, Any]:
    """v = sqrt(8/pi) (x + 0.044715 x^3) and its two derivatives; beyond 30, where s is 0 or 1, of
    30, as x^3 would overflow."""
    k, x = math.sqrt(8 / math.pi), jnp.clip(x, -30, 30)
    square = x * x
    v = k * x * (1 + 0.044715 * square)
    return v, k * (1 + 0.134145 * square), k * 0.26829 * x


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
        x = residuals
        s, rest = jax.nn.sigmoid(x), jax.nn.sigmoid(-x)  # 1 - s would cancel for a large x
        return s * rest * (2 + x * (rest - s))


softplus = Softplus()
"""y = log(1 + e^x); dx = sigmoid(x) dy."""

elu = ELU()
"""y = x where x > 0, else alpha (e^x - 1); `elu(alpha)`, by default 1."""

gelu = GELU()
"""y = x Phi(x), Phi the normal distribution; `gelu("tanh")` for its approximation."""

silu = SiLU()
"""y = x sigmoid(x), also called swish."""
