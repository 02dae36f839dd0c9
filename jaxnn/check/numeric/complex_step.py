"""Derivatives by a step into the complex plane: no difference is taken, so no digit is lost.

    f(x + ih v) = f(x) + ih f'(x) v - ...    so    f'(x) v = Im f(x + ih v) / h,    h = 1e-30

to rounding, for a real f that is analytic around x; h is so small that its square vanishes. It
serves beside autodiff because it uses none of its rules, and for numpy functions it is exact where
differences lose half of the digits. Source: Squire and Trapp 1998.

Silent failure is its weakness: one |z| in place of z on the way and the answer is wrong. So a JAX
function is traced with real numbers and its program continued by a table of known primitives
(`complex_rules.py`); a numpy function is called with arrays that let only known operations through
(`complex_numpy.py`); and the result has to agree with central differences.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.check.numeric import complex_numpy
from jaxnn.check.numeric.arrays import norm
from jaxnn.check.numeric.complex_rules import ComplexWalk, NotAnalytic
from jaxnn.check.numeric.differences import Estimate, numerical_jvp
from jaxnn.check.numeric.ladder import UNIT
from jaxnn.check.numeric.line import Line, is_none
from jaxnn.check.numeric.programs import as_function, trace
from jaxnn.core.types import Tree

H = 1e-30
CLOSE = 1e-6  # relative, beside ten times the error that the differences report


def complex_step_jvp(
    f: Callable[..., Any], args: tuple[Tree, ...], tangents: tuple[Tree, ...]
) -> Estimate:
    """f'(args) tangents by the complex step. f, args, tangents, value, error: as `numerical_jvp`.

    The error is that of rounding: how far the value moves when every argument is moved by a unit
    in its last place. At a `where` or max the branch follows the real part; `stop_gradient` does
    nothing, for it does not change what f computes. Raises NotAnalytic for an f with operations
    that are not known to be analytic, and where differences do not agree or do not settle; else as
    `numerical_jvp` does.
    """
    line = Line(f, args, tangents)
    with jax.enable_x64(True):
        real, run = _continuation(line)
        y, structure = run(line.point(1j * H))
        again, _ = run(line.point(1j * H, np.random.default_rng(0)))
    differences = numerical_jvp(real, args, tangents)
    close = jax.tree.leaves(differences.value, is_leaf=is_none)
    uncertain = jax.tree.leaves(differences.error, is_leaf=is_none)
    values, errors = [], []
    for i, leaf in enumerate(y):
        if not np.issubdtype(leaf.dtype, np.inexact):
            values.append(None)
            errors.append(None)
            continue
        value = leaf.imag / H
        _confirm(value, close[i], uncertain[i], norm(leaf.real))
        values.append(value)
        errors.append(4 * (norm(value - again[i].imag / H) + UNIT * norm(value)))
    return Estimate(structure.unflatten(values), structure.unflatten(errors))


def _continuation(line: Line) -> tuple[Callable[..., Any], Callable[[tuple], tuple]]:
    """f itself, and f of complex arguments, which gives its output leaves and their structure."""
    try:
        program, structure = trace(line.f, line.point(0.0))
    except Exception:  # in whatever way a numpy function stumbles over a tracer

        def called(args: tuple[Tree, ...]) -> tuple[list[Any], Any]:
            leaves, structure = jax.tree.flatten(complex_numpy.call(line.f, args))
            return list(map(np.asarray, leaves)), structure

        return line.f, called

    compiled = jax.jit(as_function(program))

    def real(*args: Tree) -> Any:
        return structure.unflatten(compiled(*jax.tree.leaves(args)))

    def walked(args: tuple[Tree, ...]) -> tuple[list[Any], Any]:
        with np.errstate(all="ignore"):
            leaves = ComplexWalk().run(program, jax.tree.leaves(args))
        return list(map(np.asarray, leaves)), structure

    return real, walked


def _confirm(value: np.ndarray, close: np.ndarray, uncertain: float, size: float) -> None:
    """Refuse a value that differences, `close` up to `uncertain`, do not bear out."""
    off = norm(value - close)
    if not off <= 10 * uncertain + CLOSE * norm(value):
        raise NotAnalytic(
            f"complex step: expected the value that differences give, up to {uncertain:.1e}, got "
            f"one that is {off:.1e} away; an operation on the way is not analytic, or x is right "
            "at a kink: use numerical_jvp, or autodiff of a plain JAX function"
        )
    if not uncertain <= max(0.1 * norm(value), CLOSE * size):
        raise NotAnalytic(
            "complex step: expected differences that settle, to compare with, got an error of "
            f"{uncertain:.1e} for a value of norm {norm(value):.1e}; move x away from kinks"
        )
