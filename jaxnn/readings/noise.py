"""The gradient noise scale: which batch size is worth its price."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor
from jaxnn.core.trees import over, wide
from jaxnn.core.types import ArrayLike, Tree
from jaxnn.readings.norms import norms
from jaxnn.readings.reading import Reading, total


class Noise(NamedTuple):
    """What `noise_scale` gives, each a number: scale = trace / square."""

    scale: Any
    trace: Any
    square: Any


class NoiseScale(Reading, name="noise_scale"):
    """The simple noise scale of the gradient, over all parameters, from norms alone:

        trace = (mean |g_n|^2 - |mean g_n|^2) / (1 - 1/N),   square = |mean g_n|^2 - trace/N
        scale = trace / square

    The unbiased estimates of the trace of the covariance of g_n and of the squared norm of the
    gradient over all data. Far below the scale a larger batch pays in full, far above it hardly.
    With weights p_n = c_n / sum_m c_m the means are over p, and 1/N is sum p_n^2. `square` may come
    out negative, and a ratio of noise is biased: average both over some steps, then divide.

    In float32 at least; nan for a single example. Micro-batches add up. Raises ValueError for a
    network without parameters. Source: McCandlish et al. 2018, eqs. 2.9, A.2 and A.3.
    """

    per_example = True

    def finish(self, readings: Tree, c: ArrayLike) -> Any:
        readings = wide(readings)
        squares = total(over(Factor, norms, readings))
        summed = over(Factor, lambda factor: factor.contract(c), readings)
        c = jnp.broadcast_to(jnp.asarray(c, squares.dtype), squares.shape)
        return _Sums(summed, (c * squares).sum(), c.sum(), (c * c).sum())

    def answer(self, state: Tree) -> Noise:
        weight = jnp.where(state.c > 0, state.c, 1)
        spread = state.cc / weight**2  # 1/N, if all count alike
        small = state.squares / weight
        gradient = jax.tree.leaves(state.gradient)
        large = sum(jnp.vdot(g, g, precision="highest") for g in gradient) / weight**2
        trace = (small - large) / (1 - spread)
        square = large - spread * trace
        return Noise(trace / square, trace, square)


class _Sums(NamedTuple):
    """Sums over examples: c g, c |g|^2, c and c^2."""

    gradient: Any
    squares: Any
    c: Any
    cc: Any


noise_scale = NoiseScale()
"""tr Cov(g_n) / |mean g_n|^2, the batch size from which noise no longer rules."""
