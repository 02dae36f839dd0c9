"""The judge: runs an equation as it stands and its right form, and compares with the truth."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from experiments.lectures.derivations.algebra import Misfit
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.network import make

TOLERANCE = 1e-12


@dataclass(frozen=True)
class Verdict:
    """What came out. Errors are relative, norm-wise, the largest of the parts of a claim.

    error   of the equation as it stands; None where its shapes do not fit
    misfit  those shapes
    equal   where they do not fit: its error when all layers are of one size, None if still not
    right   the error of the right form, None if there is none
    """

    error: float | None
    misfit: str = ""
    equal: float | None = None
    right: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the equation is right as it stands."""
        return self.error is not None and self.error < TOLERANCE


def judge(equation: Equation) -> Verdict:
    """Run both forms of an equation and say what came of it."""
    case = make(equation.setting)
    truth = equation.truth(case)
    right = None if equation.right is None else relative_error(equation.right(case), truth)
    try:
        return Verdict(relative_error(equation.written(case), truth), right=right)
    except Misfit as misfit:
        return Verdict(None, str(misfit), _in_equal_layers(equation), right)


def _in_equal_layers(equation: Equation) -> float | None:
    case = make(equation.setting.equal())
    try:
        return relative_error(equation.written(case), equation.truth(case))
    except Misfit:
        return None


def relative_error(actual: Any, expected: Any) -> float:
    """|actual - expected| / |expected|, the largest over the arrays of two trees.

    Where zero is expected only zero is right. Raises Misfit for unequal structures or shapes.
    """
    ours, structure = jax.tree.flatten(actual)
    theirs, wanted = jax.tree.flatten(expected)
    if structure != wanted:
        raise Misfit(f"{structure} for {wanted}")
    return float(np.max([_error(a, e) for a, e in zip(ours, theirs, strict=True)]))


def _error(actual: Any, expected: Any) -> float:
    a, e = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if a.shape != e.shape:
        raise Misfit(f"{a.shape} for {e.shape}")
    error, size = float(np.linalg.norm(a - e)), float(np.linalg.norm(e))
    return error / size if size else np.inf if error else 0.0
