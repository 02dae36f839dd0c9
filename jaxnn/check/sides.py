"""Kinks in low precision: rounding may put a unit on the other side, and neither side is wrong."""

from typing import Any

import numpy as np

from jaxnn.check.candidate import Answer
from jaxnn.check.numeric.arrays import jittered, norm
from jaxnn.check.problem import Problem
from jaxnn.check.report import Finding, Leaf
from jaxnn.check.truth import Draw, at

TRIES = 32


def other_side(
    problem: Problem, draw: Draw, answer: Answer, leaves: list[Leaf], like: Any
) -> Finding | None:
    """A note, if inputs moved by a few units in their last place have these very gradients.

    The leaves that were judged wrong must all be within what is allowed of the float64 gradients at
    one and the same of 32 such inputs. None if they are not: the gradients are wrong.
    """
    if draw.dtype != leaves[0].dtype:  # float64: nothing moves
        return None
    paths = problem.paths(draw.args)
    bad = {leaf.path: leaf.allowed for leaf in leaves if not leaf.ok}
    if not set(bad) <= set(paths):
        return None
    rng = np.random.default_rng([draw.seed, 3])
    for _ in range(TRIES):
        _, gradients = at(problem, jittered(draw.args, draw.dtype, rng), draw.dy, "float64", like)
        rows = zip(paths, answer.gradients, gradients, strict=True)
        if all(norm(ours - g) <= bad[path] for path, ours, g in rows if path in bad):
            text = f"right on the other side of a kink, an ulp away: {', '.join(bad)}"
            return Finding("note", "kink", text, draw.dtype, draw.seed)
    return None
