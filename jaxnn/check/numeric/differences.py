"""Derivatives from the values of a function alone, each with an estimate of its own error.

    numerical_jvp          f'(x) v, for one direction                     19 forward passes
    numerical_directional  <dy, f'(x) v>, one number of it                19 forward passes
    numerical_vjp          f'(x)^T dy, entry by entry                     19 for every entry
    taylor_order           the order of f(x + tv) - f(x) - t <g, v>       19 forward passes

f may be written in JAX or in numpy: arguments are turned into float64 of the kind they came in
(jax arrays or numpy arrays), and f is run within `jax.enable_x64(True)`. Integers, booleans and
keys are handed over as they are. Steps are relative to the root mean square of what moves, and how
far to go down is chosen by the error estimate: see `differences_ladder.py`.

An estimate is never silently wrong: where differences do not settle (a kink at x, a jump, noise, a
function that is not finite around x) its `error` is as large as the value, or inf.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.check.numeric.arrays import is_inexact, norm
from jaxnn.check.numeric.ladder import UNIT, extrapolate
from jaxnn.check.numeric.line import Line, matched
from jaxnn.core.types import Tree


class Estimate(NamedTuple):
    """A value, and how far off it may be: |value - truth| <= error, as far as could be told.

    It is an estimate too: of smooth functions 1 in 100 is off by more, none seen by ten times it.
    """

    value: Tree
    error: Tree


def numerical_jvp(
    f: Callable[..., Any], args: tuple[Tree, ...], tangents: tuple[Tree, ...]
) -> Estimate:
    """f'(args) tangents by extrapolated central differences.

    tangents: a tree like args, None or zeros where nothing moves, so at every integer leaf. The
    value is a tree like the output, of numpy float64, with None at leaves of integers. The error is
    a tree like the value with one number for each leaf: the norm of its error. Raises ValueError
    for tangents unlike args and TypeError for complex numbers.
    """
    line = Line(f, args, tangents)
    centre, structure = line.output(0.0)
    points = [(line.leaves(t), line.leaves(-t)) for t in line.steps]
    values, errors = [], []
    for i, y in enumerate(centre):
        if y is None:
            values.append(None)
            errors.append(None)
            continue
        odd = np.stack([(plus[i] - minus[i]).ravel() for plus, minus in points])
        even = np.stack([(plus[i] - y + (minus[i] - y)).ravel() for plus, minus in points])
        value, error = extrapolate(line.steps, odd, even, norm(y))
        values.append(value.reshape(y.shape))
        errors.append(error)
    return Estimate(structure.unflatten(values), structure.unflatten(errors))


def numerical_directional(
    f: Callable[..., Any], args: tuple[Tree, ...], tangents: tuple[Tree, ...], cotangent: Tree
) -> Estimate:
    """<cotangent, f'(args) tangents>, a number, by extrapolated central differences.

    What a gradient predicts as <f'(args)^T cotangent, tangents>. cotangent: a tree like the output,
    None at leaves of integers. Differences are taken before the inner product, so that a large f
    costs no more digits than it must. Raises as `numerical_jvp` does.
    """
    line = Line(f, args, tangents)
    centre, structure = line.output(0.0)
    dy = matched("cotangent", cotangent, "the output", structure, centre)
    pairs = [(i, d) for i, d in enumerate(dy) if d is not None and centre[i] is not None]
    odd, even = [], []
    for t in line.steps:
        plus, minus = line.leaves(t), line.leaves(-t)
        odd.append([sum(np.vdot(d, plus[i] - minus[i]) for i, d in pairs)])
        even.append([sum(np.vdot(d, plus[i] - centre[i] + minus[i] - centre[i]) for i, d in pairs)])
    size = norm([norm(d * centre[i]) for i, d in pairs])
    value, error = extrapolate(line.steps, np.array(odd), np.array(even), size)
    return Estimate(float(value[0]), error)


def numerical_vjp(
    f: Callable[..., Any], args: tuple[Tree, ...], cotangent: Tree, limit: int = 10_000
) -> Estimate:
    """f'(args)^T cotangent, entry by entry: 19 forward passes for every entry of args.

    Value and error are trees like args, numpy float64, the error entry by entry; None at leaves of
    integers. Raises ValueError for arguments of more than `limit` entries, and as
    `numerical_directional` does.
    """
    leaves, structure = jax.tree.flatten(args)
    entries = sum(np.size(leaf) for leaf in leaves if is_inexact(leaf))
    if entries > limit:
        raise ValueError(
            f"numerical_vjp: expected at most {limit} entries in args, got {entries}, which would "
            f"take {19 * entries} forward passes; compare along random directions with "
            "numerical_directional, or raise limit"
        )
    none: list[Any] = [None] * len(leaves)
    values, errors = list(none), list(none)
    for i, leaf in enumerate(leaves):
        if not is_inexact(leaf):
            continue
        pairs = []
        for k in range(np.size(leaf)):
            v = np.zeros(np.shape(leaf))
            v.flat[k] = 1.0
            tangents = structure.unflatten([*none[:i], v, *none[i + 1 :]])
            pairs.append(numerical_directional(f, args, tangents, cotangent))
        values[i] = np.reshape([p.value for p in pairs], np.shape(leaf))
        errors[i] = np.reshape([p.error for p in pairs], np.shape(leaf))
    return Estimate(structure.unflatten(values), structure.unflatten(errors))


def taylor_order(
    f: Callable[..., Any], gradient: Tree, args: tuple[Tree, ...], direction: tuple[Tree, ...]
) -> Estimate:
    """The order p in |f(x + t v) - f(x) - t <gradient, v>| ~ t^p: 2 for a right gradient.

    f: a scalar function; gradient, direction: trees like args. A wrong gradient has order 1: judge
    by value >= 1.9. The value is the slope over the finest two steps whose remainder stands out
    of rounding, the error how far it is from the slope before. Where no two do, f is linear along
    v as far as rounding shows, the gradient is right, and the order inf. An f that is
    quadratic along v has order 2 exactly, one without curvature along v 3 or more. Raises as
    `numerical_jvp` does, and ValueError where f is no scalar.
    """
    line = Line(f, args, direction)
    slope = line.inner(gradient)
    centre, _ = line.output(0.0)
    if len(centre) != 1 or np.size(centre[0]) != 1:
        raise ValueError(
            f"taylor_order: expected a scalar function, got outputs {list(map(np.shape, centre))}; "
            "take the inner product of the output with a fixed cotangent"
        )
    change = [(line.leaves(t)[0] - centre[0], line.leaves(-t)[0] - centre[0]) for t in line.steps]
    with np.errstate(all="ignore"):
        forward = np.array([float(plus) for plus, _ in change])
        noise = max(4 * UNIT * abs(float(centre[0])), *(abs(float(a + b)) for a, b in change[-2:]))
        remainder = np.abs(forward - line.steps * slope)
        clear = np.isfinite(remainder) & (remainder > 30 * (noise + UNIT * np.abs(forward)))
        orders = np.log(remainder[:-1] / remainder[1:]) / np.log(line.steps[:-1] / line.steps[1:])
    found = orders[clear[:-1] & clear[1:]]
    if not len(found):
        return Estimate(float("inf"), 0.0)
    return Estimate(float(found[-1]), float(abs(found[-1] - found[-2 if len(found) > 1 else -1])))
