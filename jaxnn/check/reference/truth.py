"""What a gradient should be at one draw, and how far off rounding alone may take it.

The noise of a leaf is the largest error of the *reference* in the precision under test, over runs
at inputs moved by a few units in their last place:

    noise = max_j | r_dtype(x_j) - r_float64(x_j) |

so a tolerance needs no constant for how hard a problem is, and a gradient that is truly zero has a
floor. In float64, where nothing more exact is at hand, it is the noise of float32 times 2^-29.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import cast, jittered, norm, precision
from jaxnn.check.problem import Problem
from jaxnn.check.reference.autodiff import differentiate
from jaxnn.core.types import ArrayLike, Tree

COARSER = {"float64": "float32"}  # the precision whose noise stands for that of the key
FALLBACK = {"float64": 1e-12, "float32": 1e-4, "bfloat16": 5e-2, "float16": 1e-2}


class Draw(NamedTuple):
    """Arguments and cotangent of one seed, as float64 numbers that `dtype` holds exactly."""

    seed: int
    dtype: str
    args: tuple[Tree, ...]
    dy: list[ArrayLike]


class Truth(NamedTuple):
    """The right output and gradients at a draw, and the noise of each, as norms over a leaf.

    With `directions` the gradients are known along these only, for each leaf a list of arrays
    shaped like it: an entry of `gradients` then is the vector of inner products with them, and
    `errors` are norms of the errors that the truth admits to.
    """

    y: list[np.ndarray]
    gradients: list[np.ndarray]
    y_noise: list[float]
    noise: list[float]
    directions: list[list[np.ndarray]] | None = None
    errors: list[float] | None = None

    def seen(self, i: int, gradient: ArrayLike) -> np.ndarray:
        """What the oracle sees of the gradient of leaf i: all of it, or its inner products."""
        gradient = np.asarray(gradient, np.float64)
        if self.directions is None:
            return gradient
        return np.array([np.vdot(v, gradient) for v in self.directions[i]])

    def bound(self, i: int, dtype: str, safety: float, rtol: float | None) -> float:
        """The norm of error that is not held against the gradient of leaf i in `dtype`."""
        own = 0.0 if self.errors is None else self.errors[i]
        if dtype == "float64" and self.errors is not None:
            return own
        return own + allowed(norm(self.gradients[i]), self.noise[i], dtype, safety, rtol)

    def converged(self, i: int) -> bool:
        """Whether the truth is sure enough of itself to call leaf i wrong or right."""
        if self.errors is None:
            return True
        largest = max(map(norm, self.gradients))
        return self.errors[i] <= max(1e-4 * norm(self.gradients[i]), 1e-8 * largest)


def coarse(dtype: str) -> str:
    """The precision in which the noise for a run in `dtype` is measured."""
    return COARSER.get(dtype, dtype)


def by_autodiff(problem: Problem, draw: Draw, like: Tree, runs: int) -> Truth:
    """The truth by autodiff in float64, and the noise over `runs` runs in the draw's precision."""
    rng = np.random.default_rng([draw.seed, 1])
    found, y_noise, noise = [], [], []
    for run in range(runs):
        args = jittered(draw.args, draw.dtype, rng) if run else draw.args
        found.append(at(problem, args, draw.dy, "float64", like))
        try:
            low = at(problem, args, draw.dy, draw.dtype, like)
        except TypeError:  # the reference insists on a precision of its own
            low = [[np.array(np.nan)] * len(a) for a in found[0]]
        for noises, ours, exact in zip((y_noise, noise), low, found[-1], strict=True):
            noises.append([norm(a - b) for a, b in zip(ours, exact, strict=True)])
    y, gradients = found[0]
    return Truth(y, gradients, np.max(y_noise, axis=0).tolist(), np.max(noise, axis=0).tolist())


def allowed(
    truth_norm: float, noise: float, dtype: str, safety: float, rtol: float | None
) -> float:
    """The norm of error that is not held against a gradient in `dtype`."""
    if not np.isfinite(noise):
        return (FALLBACK[dtype] if rtol is None else rtol) * truth_norm
    unit = float(jnp.finfo(dtype).eps) / 2
    shrink = float(jnp.finfo("float64").eps / jnp.finfo("float32").eps)
    return safety * noise * (shrink if dtype == "float64" else 1.0) + 4 * unit * truth_norm


def at(
    problem: Problem, args: tuple[Tree, ...], dy: Tree, dtype: str, like: Tree
) -> tuple[Any, Any]:
    """(y, gradients) of the reference by autodiff in that precision, as float64 arrays."""
    with precision(dtype):
        y, g = differentiate(
            problem.reference, problem.wrt, cast(args, dtype, like), cast(dy, dtype, dy)
        )
        return [np.asarray(a, np.float64) for a in y], [np.asarray(a, np.float64) for a in g]
