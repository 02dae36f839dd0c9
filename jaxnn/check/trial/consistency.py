"""Checks that need no reference: a backward pass is a linear map of its cotangent, and a function.

Each is a function of a `Trial` that says what is wrong, or nothing. Multiplying a cotangent by a
power of two changes no rounding anywhere, so it has to change the gradients by that power bit for
bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import cast, named, norm, precision
from jaxnn.check.reference.truth import Draw
from jaxnn.check.trial.candidate import Answer, Candidate
from jaxnn.check.trial.order import order_of_use
from jaxnn.core.types import ArrayLike

Fault = tuple[str, str] | None  # the path it shows at, and what is wrong
POWERS = (-1.0, 2.0, 2.0**10, 2.0**-10)


class Trial(NamedTuple):
    """A run to be compared with further runs: two draws, the answers to both, and how far each
    gradient of the first may be off."""

    candidate: Candidate
    dtype: str
    draw: Draw
    another: Callable[[], Draw]
    answer: Answer
    bounds: list[float]
    traceable: bool

    @property
    def paths(self) -> list[str]:
        """Of the gradients."""
        return self.candidate.problem.paths(self.draw.args)

    def last(self, faults: dict[str, str]) -> Fault:
        """Of the faults by path the one that the forward pass uses last."""
        if not faults:
            return None
        order = order_of_use(self.candidate.problem, self.draw, self.candidate.like)
        return max(faults.items(), key=lambda fault: order.get(fault[0], -1))

    def run(self, dy: list[ArrayLike], eager: bool = False) -> Answer:
        """The answer to another cotangent, at the arguments of the first draw."""
        return self.candidate.run(self.draw.args, dy, self.dtype, eager or not self.traceable)


def homogeneity(trial: Trial) -> Fault:
    """Proportional to the cotangent, bit for bit, for powers of two that stay in range.

    Not in float16, whose range is so small that intermediate results fall below it and are rounded.
    """
    if trial.dtype == "float16":
        return None
    tiny = float(jnp.finfo(trial.dtype).tiny) * 2.0**12
    for power in POWERS:
        scaled, faults = trial.run([power * a for a in trial.draw.dy]).gradients, {}
        for path, g, s in zip(trial.paths, trial.answer.gradients, scaled, strict=True):
            bad = (s != power * g) & (np.abs(power * g) > tiny) & np.isfinite(g)
            if bad.any():
                at = _first(bad)
                faults[path] = (
                    f"not proportional to the cotangent: at {power:g} times it, {path}{list(at)} "
                    f"is {s[at]:.6e}, expected {power * g[at]:.6e}"
                )
        if faults:
            return trial.last(faults)
    return None


def zero_cotangent(trial: Trial) -> Fault:
    """A cotangent of zeros gives zeros."""
    zeros, faults = trial.run([np.zeros_like(a) for a in trial.draw.dy]).gradients, {}
    for path, g in zip(trial.paths, zeros, strict=True):
        if (g != 0).any():
            at = _first(g != 0)
            faults[path] = f"a zero cotangent gives {g[at]:.6e} at {path}{list(at)}, expected 0"
    return trial.last(faults)


def linearity(trial: Trial) -> Fault:
    """backward(u + v) = backward(u) + backward(v), in float64, where the sum is exact."""
    if trial.dtype != "float64":
        return None
    u, v = trial.draw.dy, trial.another().dy
    second, faults = trial.run(v).gradients, {}
    both = trial.run([a + b for a, b in zip(u, v, strict=True)]).gradients
    rows = zip(trial.paths, trial.answer.gradients, second, both, trial.bounds, strict=True)
    for path, a, b, together, allowed in rows:
        error, sizes = norm(together - a - b), norm(a) + norm(b)
        if error > 8 * allowed + 1e-13 * sizes:
            off = error / (sizes or 1.0)
            faults[path] = f"not linear in the cotangent: {path} is off by {off:.1e}, relative"
    return trial.last(faults)


def eager(trial: Trial) -> Fault:
    """The same with and without a jit around it."""
    if not trial.traceable:
        return None
    return _same(trial, trial.run(trial.draw.dy, eager=True), "without jit")


def repeat(trial: Trial) -> Fault:
    """The same a second time, with another input in between: bit for bit, except on accelerators,
    whose sums may come in any order."""
    exactly = jax.default_backend() == "cpu"
    first = trial.run(trial.draw.dy, eager=True)
    trial.candidate.run(trial.another().args, trial.another().dy, trial.dtype, eager=True)
    again = trial.run(trial.draw.dy, eager=True)
    rows = zip(trial.paths, first.gradients, again.gradients, trial.bounds, strict=True)
    faults = {}
    for path, a, b, bound in rows:
        off = norm(a - b)
        if off > (0.0 if exactly else 2 * bound):
            faults[path] = (
                f"a second call with the same input gives another {path}, off by {off:.1e}"
            )
    return trial.last(faults)


def unchanged(trial: Trial) -> Fault:
    """The arguments are as before: nothing is written into an array of the caller."""
    candidate, draw = trial.candidate, trial.draw
    with precision(trial.dtype):
        args = cast(draw.args, trial.dtype, candidate.like)
        dy = cast(draw.dy, trial.dtype, draw.dy)
        names = (*candidate.problem.names, "dy")
        leaves: dict[str, Any] = {}
        for name, tree in zip(names, (*args, dy), strict=True):
            leaves |= named(tree, name)
        before = {path: a.copy() for path, a in leaves.items() if isinstance(a, np.ndarray)}
        candidate.traced(args, dy)
    for path, a in before.items():
        if not np.array_equal(a, leaves[path], equal_nan=a.dtype.kind == "f"):
            return path, f"backward writes into {path}, an array of the caller"
    return None


def vmap(trial: Trial) -> Fault:
    """Mapped over two cotangents it gives what two calls give: jacobians are made that way."""
    if not (trial.traceable and trial.candidate.problem.cotangent):
        return None
    pairs = [np.stack([a, b]) for a, b in zip(trial.draw.dy, trial.another().dy, strict=True)]
    with precision(trial.dtype):
        args = cast(trial.draw.args, trial.dtype, trial.candidate.like)
        try:
            mapped = jax.jit(jax.vmap(trial.candidate.traced, (None, 0)))(
                args, cast(pairs, trial.dtype, pairs)
            )
        except Exception as error:
            text = f"cannot be mapped by jax.vmap over cotangents: {type(error).__name__}: {error}"
            return "", text.splitlines()[0]
        first = [np.zeros(()) if g is None else np.asarray(g[0], np.float64) for g in mapped[1]]
    return _same(trial, Answer([], first), "under jax.vmap over cotangents")


def _same(trial: Trial, answer: Answer, where: str) -> Fault:
    rows = zip(trial.paths, trial.answer.gradients, answer.gradients, trial.bounds, strict=True)
    faults = {}
    for path, a, b, allowed in rows:
        if not norm(a - b) <= 2 * allowed:
            off = f"off by {norm(a - b):.1e}, allowed {2 * allowed:.1e}"
            faults[path] = f"{where}, {path} is another: {off}"
    return trial.last(faults)


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


CONSISTENCY: dict[str, Callable[[Trial], Fault]] = {
    f.__name__: f for f in (homogeneity, zero_cotangent, linearity, eager, vmap, repeat, unchanged)
}
NEED_COTANGENT = ("homogeneity", "zero_cotangent", "linearity", "vmap")
EVERY_DRAW = ("homogeneity", "zero_cotangent")
