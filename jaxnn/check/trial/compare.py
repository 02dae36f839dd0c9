"""Each gradient against the truth: one `Leaf` for every array, the outputs included."""

import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import norm
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem
from jaxnn.check.reference.truth import Draw, Truth, allowed
from jaxnn.check.report.record import Finding, Leaf
from jaxnn.check.trial.candidate import Answer

VALUE = "the value"


def compare(
    problem: Problem, draw: Draw, truth: Truth, answer: Answer, dtype: str, options: Options
) -> tuple[list[Leaf], list[Finding]]:
    """A leaf for every output, then one for every gradient, and what keeps them from being judged.

    The error is |ours - reference| over a whole leaf: entry by entry, right code is off by any
    factor where an entry happens to be near zero.
    """
    leaves, findings = [], []

    def add(path: str, ours: np.ndarray, reference: np.ndarray, bound: float) -> None:
        leaves.append(_leaf(path, ours, reference, bound, draw.seed, dtype))
        if not np.isfinite(reference).all():
            text = f"the reference is not finite at {path}, seed {draw.seed}"
            findings.append(Finding("inconclusive", "finite", text, dtype, draw.seed))

    if options.wants("value"):
        for i, (ours, reference) in enumerate(zip(answer.y, truth.y, strict=True)):
            bound = allowed(norm(reference), truth.y_noise[i], dtype, options.safety, options.rtol)
            add(_name(i, len(truth.y)), ours, reference, bound)
    if options.wants("gradient"):
        paths = problem.paths(draw.args)
        for i, (path, ours) in enumerate(zip(paths, answer.gradients, strict=True)):
            bound = truth.bound(i, dtype, options.safety, options.rtol)
            add(path, truth.seen(i, ours), truth.gradients[i], bound)
            if dtype == "float32" and _another(leaves[-1], truth.noise[i]):
                text = (
                    f"the reference for {path} is another function in float32: is a random draw, "
                )
                text += "or a branch, decided by the precision?"
                findings.append(Finding("inconclusive", "gradient", text, dtype, draw.seed))
            if not truth.converged(i):
                text = f"the reference for {path} did not converge at seed {draw.seed}: the error "
                text += "it estimates for itself is too large. Is there a kink or a jump nearby?"
                findings.append(Finding("inconclusive", "gradient", text, dtype, draw.seed))
    return leaves, findings


def _another(leaf: Leaf, noise: float) -> bool:
    """Whether float32 is all noise where float64 has a gradient that is not zero."""
    return leaf.vanishes and leaf.size > 1e3 * noise * 2.0**-29


def _name(i: int, count: int) -> str:
    return VALUE if count == 1 else f"{VALUE} [{i}]"


def _leaf(
    path: str, ours: np.ndarray, reference: np.ndarray, bound: float, seed: int, dtype: str
) -> Leaf:
    with np.errstate(invalid="ignore"):
        off = np.abs(ours - reference)
    size, bad = norm(reference), ~np.isfinite(ours)
    error = float("nan") if bad.any() else norm(off)
    at = np.unravel_index(int(np.argmax(np.where(bad, np.inf, off))), off.shape) if off.size else ()
    at = tuple(int(i) for i in at)
    here = (float(ours[at]), float(reference[at])) if off.size else (0.0, 0.0)
    vanishes = size <= bound or size < float(jnp.finfo(dtype).tiny)
    return Leaf(path, dtype, seed, error, bound, size, at, *here, vanishes)
