"""Kinks in low precision: rounding may put a unit on the other side, and neither side is wrong."""

import numpy as np

from jaxnn.check.numeric.arrays import jittered, norm
from jaxnn.check.problem import Problem
from jaxnn.check.reference.truth import Draw, at
from jaxnn.check.report.record import Finding, Leaf
from jaxnn.check.trial.candidate import Answer
from jaxnn.core.types import Tree

TRIES = 32


def other_side(
    problem: Problem, draw: Draw, answer: Answer, leaves: list[Leaf], like: Tree
) -> tuple[list[Leaf], list[Finding]]:
    """The leaves with those excused that are right on the other side of a kink, and a note of it.

    Excused are the gradients that were judged wrong and are within what is allowed of those in
    float64 at inputs moved by a few units in their last place: of 32 such inputs the one that
    excuses the most, for all of them must lie on one side. None are where the value is wrong too.
    """
    paths = problem.paths(draw.args)
    bad = {leaf.path: leaf.allowed for leaf in leaves if not leaf.ok}
    if draw.dtype != leaves[0].dtype or not set(bad) <= set(paths):  # in float64 nothing moves
        return leaves, []
    rng, excused = np.random.default_rng([draw.seed, 3]), []
    for _ in range(TRIES):
        _, gradients = at(problem, jittered(draw.args, draw.dtype, rng), draw.dy, "float64", like)
        rows = zip(paths, answer.gradients, gradients, strict=True)
        right = [path for path, ours, g in rows if path in bad and norm(ours - g) <= bad[path]]
        excused = max(excused, right, key=len)
        if len(excused) == len(bad):
            break
    if not excused:
        return leaves, []
    text = f"right on the other side of a kink, an ulp away: {', '.join(excused)}"
    found = [leaf._replace(excused=leaf.path in excused) for leaf in leaves]
    return found, [Finding("note", "kink", text, draw.dtype, draw.seed)]
