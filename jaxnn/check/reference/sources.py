"""Where the right gradient comes from, best first: autodiff, the complex step, differences.

A source has `truth(draw)`, the `shapes` of the output, a `name` for the report and `notes` on what
its choice means.
"""

from typing import Any

import jax
import numpy as np

from jaxnn.check.numeric.arrays import cast, exact, is_inexact, norm, precision
from jaxnn.check.numeric.complex_step import complex_step_jvp
from jaxnn.check.numeric.differences import Estimate, numerical_directional
from jaxnn.check.numeric.programs import NOT_TRACEABLE
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem, inexact_leaves
from jaxnn.check.reference.autodiff import own_rules
from jaxnn.check.reference.truth import Draw, Truth, by_autodiff
from jaxnn.check.report.record import Finding
from jaxnn.core.types import ArrayLike, Tree


class Source:
    """Autodiff of the reference in float64; each draw is differentiated once."""

    name = "autodiff in float64"
    is_autodiff = True

    def __init__(self, problem: Problem, args: tuple[Tree, ...], options: Options) -> None:
        self.problem, self.args, self.options = problem, args, options
        self.notes: list[Finding] = []
        self._known: dict[tuple[int, str], Truth] = {}

    def truth(self, draw: Draw) -> Truth:
        """The right output and gradients at the draw."""
        where = draw.seed, draw.dtype
        if where not in self._known:
            self._known[where] = self._find(draw)
        return self._known[where]

    def fresh(self, draw: Draw) -> Truth:
        """The same for a draw that is not one of the check's own, and not remembered."""
        return self._find(draw)

    def shapes(self, args: tuple[Tree, ...]) -> list[tuple[int, ...]]:
        """The shapes of the output's inexact leaves."""
        return [y.shape for y in inexact_leaves(jax.eval_shape(self.problem.reference, *args))]

    def _find(self, draw: Draw) -> Truth:
        return by_autodiff(self.problem, draw, self.args, self.options.runs)


class Probes(Source):
    """Directional derivatives of the reference along random directions, leaf by leaf.

    For each leaf and direction v the truth is <dy, f'(x) v>, which is <v, dargs> for right dargs. A
    normal direction misses an error of relative size 1e-3 with a chance of 1 in 10,000.
    """

    name = "central differences in float64"
    is_autodiff = False

    def shapes(self, args: tuple[Tree, ...]) -> list[tuple[int, ...]]:
        return [np.shape(y) for y in inexact_leaves(self._value(exact(args)))]

    def derivative(self, args: tuple[Tree, ...], tangents: Tree, dy: list[ArrayLike]) -> Estimate:
        """<dy, f'(args) tangents>, and a bound of its error, ten times what it is estimated at."""
        value, error = numerical_directional(self._leaves, args, tangents, dy)
        return Estimate(value, 10 * error + 1e-9 * abs(value))

    def _value(self, args: tuple[Tree, ...]) -> Any:
        with precision("float64"):
            return self.problem.reference(*cast(args, "float64", self.args))

    def _leaves(self, *args: Tree) -> list[Any]:
        return inexact_leaves(self.problem.reference(*args))

    def _find(self, draw: Draw) -> Truth:
        rng = np.random.default_rng([draw.seed, 2])
        with precision("float64"):
            args = cast(draw.args, "float64", self.args)
        leaves, structure = jax.tree.flatten(draw.args)
        positions = _variable_positions(self.problem, draw.args)
        gradients, errors, directions = [], [], []
        for at in positions:
            vs = [rng.normal(size=leaves[at].shape) for _ in range(self.options.probes)]
            moves = [jax.tree.unflatten(structure, _only(leaves, at, v)) for v in vs]
            found = [self.derivative(args, tangents, draw.dy) for tangents in moves]
            gradients.append(np.array([float(e.value) for e in found]))
            errors.append(norm([float(e.error) for e in found]))
            directions.append(vs)
        y = [np.asarray(a, np.float64) for a in inexact_leaves(self._value(draw.args))]
        unknown = [float("nan")]
        noises = unknown * len(y), unknown * len(errors)
        return Truth(y, gradients, *noises, directions, errors)


class ComplexStep(Probes):
    """The derivative as the imaginary part of f(x + i h v), for analytic functions."""

    name = "complex step"

    def derivative(self, args: tuple[Tree, ...], tangents: Tree, dy: list[ArrayLike]) -> Estimate:
        found = complex_step_jvp(self._leaves, args, tangents)
        total = sum(float(np.vdot(a, b)) for a, b in zip(dy, found.value, strict=True))
        rows = zip(dy, found.value, found.error, strict=True)
        return Estimate(total, sum(norm(d) * (10 * e + 1e-14 * norm(v)) for d, v, e in rows))


class Linear(Probes):
    """A linear map is its own derivative: f'(x) v = f(v), exact but for rounding."""

    name = "the map itself, being linear"

    def derivative(self, args: tuple[Tree, ...], tangents: Tree, dy: list[ArrayLike]) -> Estimate:
        with precision("float64"):
            out = inexact_leaves(self.problem.reference(*cast(tangents, "float64", self.args)))
        out = [np.asarray(a, np.float64) for a in out]
        total = sum(float(np.vdot(a, b)) for a, b in zip(dy, out, strict=True))
        sizes = zip(dy, out, strict=True)
        return Estimate(total, 1e-14 * sum(norm(a) * norm(b) for a, b in sizes))


def choose(problem: Problem, args: tuple[Tree, ...], options: Options) -> Source:
    """The source that the options ask for, or the best there is."""
    if problem.linear:
        return Linear(problem, args, options)
    if options.oracle in ("differences", "complex"):
        return (Probes if options.oracle == "differences" else ComplexStep)(problem, args, options)
    source = Source(problem, args, options)
    try:
        rules = own_rules(problem.reference, args)
        several = "s" if rules > 1 else ""
        text = f"the reference has {rules} jax.custom_vjp rule{several} that cannot be taken off"
        why = text if rules else ""
    except NOT_TRACEABLE as error:
        why = f"JAX cannot trace the reference ({type(error).__name__})"
    if why and options.oracle == "autodiff":
        source.notes.append(Finding("inconclusive", "oracle", f"{why}: autodiff is no judge of it"))
    elif why:
        source = Probes(problem, args, options)
        source.notes.append(Finding("note", "oracle", f"{why}: differences take its place"))
    return source


def _only(leaves: list[ArrayLike], at: int, direction: ArrayLike) -> list[Any]:
    """Tangents that are zero but for one leaf."""
    zero: list[Any] = [np.zeros(leaf.shape) if is_inexact(leaf) else None for leaf in leaves]
    zero[at] = direction
    return zero


def _variable_positions(problem: Problem, args: tuple[Tree, ...]) -> list[int]:
    """Where the inexact leaves of the variables stand among all leaves of the arguments."""
    found, start = [], 0
    for i, arg in enumerate(args):
        leaves = jax.tree.leaves(arg)
        if i in problem.wrt:
            found += [start + k for k, leaf in enumerate(leaves) if is_inexact(leaf)]
        start += len(leaves)
    return found
