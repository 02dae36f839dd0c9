"""How far a draw is from the kinks and jumps of a function.

At a kink the derivative is a convention, and near one a run in a lower precision, or a step of a
difference, lands on the other side: neither says that a gradient is wrong. So `kink_distance` runs
a JAX function one primitive at a time and looks at every comparison it makes: max, min, abs, sign,
>, clamp, sort, argmax, pooling, rounding, and whatever a `where` or a conditional is decided by.

Not counted: what the inexact arguments do not move (integers, random bits, masks made of them),
what reaches no inexact output or none but through `stop_gradient`, and `==` and `!=`, which change
a function on a set of measure zero. Singular points, as of sqrt at 0, are no kinks.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.kinks.offsets import OFFSETS, UNMEASURED, Offsets
from jaxnn.check.kinks.reach import has_kinks, reach
from jaxnn.check.numeric.jaxpr_walk import Path, Walk
from jaxnn.check.numeric.programs import (
    Call,
    Equation,
    NotKnown,
    Program,
    held,
    name_of,
    parameters,
    place_of,
    trace,
    version,
)
from jaxnn.core.types import ArrayLike, Tree

TWO_SIDED = {"max", "min", "gt", "lt", "ge", "le", "abs", "sign", "clamp"}
INF = float("inf")


class Site(NamedTuple):
    """One comparison in the source of a function, over all its entries and all rounds of a loop.

    below, above, ties: how many entries lie on either side and right at the kink; of a maximum
    over entries the losers and the winners. distance: the smallest gap over the root mean square
    of the operands, 0 where a primitive gives no way to measure it.
    """

    primitive: str
    place: str
    below: int = 0
    above: int = 0
    ties: int = 0
    distance: float = INF

    @property
    def one_sided(self) -> bool:
        """Whether one side was never seen, where there are two: a unit always on, or always off."""
        return self.primitive in TWO_SIDED and not (self.below and self.above)

    @property
    def unseen(self) -> str:
        """Why it was not looked into; empty if it was."""
        if self.below or self.above or self.ties:
            return ""
        return "it may have a kink" if self.primitive in UNMEASURED else version()

    def plus(self, other: "Site") -> "Site":
        """The same comparison, over the entries of both."""
        counts = self.below + other.below, self.above + other.above, self.ties + other.ties
        return Site(self.primitive, self.place, *counts, min(self.distance, other.distance))


class Kinks(NamedTuple):
    """How far a run was from a kink: the smallest distance of all sites (inf without any), where
    that is, and all of them."""

    distance: float
    where: str
    sites: tuple[Site, ...]


def kink_distance(f: Callable[..., Any], *args: Tree) -> Kinks:
    """How far f(*args) is from a kink, relative to the operands that are compared.

    A gap counts in units of the root mean square of its operands, for rounding moves an operand
    by a part of its own size, and so does a relative step: the same margin serves every layer.
    Every inexact argument is taken to move; close over those that do not, such as a mask of
    floats. Loops and conditionals are run as they come. Raises TypeError for an f that JAX cannot
    trace.
    """
    return _Watch(trace(f, args)[0]).look(args)


def clear_of_kinks(
    f: Callable[..., Any], draw: Callable[[int], tuple], margin: float, tries: int = 1000
) -> tuple:
    """The first of draw(0), draw(1), ... that is further than `margin` from every kink of f.

    draw: `seed -> args`. Raises ValueError with the best distance seen, after `tries` draws.
    """
    best, watch, like = Kinks(-INF, "", ()), None, None
    for seed in range(tries):
        args = draw(seed)
        if not isinstance(args, tuple):
            raise TypeError(
                "draw: expected a tuple of arguments, got "
                f"{type(args).__name__}; write (x,) for one argument"
            )
        shapes = jax.tree.map(jax.typeof, args)
        if watch is None or shapes != like:
            watch, like = _Watch(trace(f, args)[0]), shapes
        kinks = watch.look(args)
        if kinks.distance > margin:
            return args
        best = max(best, kinks, key=lambda found: found.distance)
    raise ValueError(
        f"expected a draw further than {margin:g} from every kink, got {best.distance:.2g} at best "
        f"in {tries} draws, at {best.where}; lower margin, or draw fewer examples at once"
    )


class _Watch(Walk):
    """Runs a program and keeps the gaps at every equation that counts."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.moving = reach(program)
        self.equations: dict[Path, Equation] = {}
        self.sites: dict[tuple[Path, int], Site] = {}

    def look(self, args: tuple[Tree, ...]) -> Kinks:
        """The kinks of one run."""
        self.sites = {}
        self.run(self.program, [jnp.asarray(leaf) for leaf in jax.tree.leaves(args)])
        sites = tuple(self.sites.values())
        nearest = min(sites, key=lambda site: site.distance, default=None)
        if nearest is None:
            return Kinks(INF, "", ())
        return Kinks(nearest.distance, f"{nearest.primitive} at {nearest.place}", sites)

    def step(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        """Walks on, with the equation noted for the place of what it holds."""
        self.equations[path] = eqn
        return super().step(eqn, values, path)

    def enters(self, eqn: Equation, values: list[ArrayLike]) -> bool:
        """A loop without kinks runs as a whole."""
        return has_kinks(eqn)

    def apply(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        """What JAX computes, after a look at the operands."""
        moving = self.moving.get(path, [])
        if any(moving):
            measure = OFFSETS.get(eqn.primitive.name)
            if measure is None and has_kinks(eqn):
                self._add(path, 0, np.zeros(0), 0.0)
            elif measure is not None and not _with_itself(eqn):
                try:
                    self._measure(path, values, moving, measure)
                except NotKnown:
                    self._add(path, 0, np.zeros(0), 0.0)
        return super().apply(eqn, values, path)

    def _measure(self, path: Path, values: list[ArrayLike], moving: list[bool], f: Offsets) -> None:
        eqn = self.equations[path]
        operands, params = [_as_float(v) for v in values], parameters(eqn)
        if eqn.primitive.name == "sort":  # by its keys, of which those that stay put do not count
            operands = [x for x, moves in zip(operands, moving, strict=True) if moves]
            operands = operands[: params["num_keys"]]
        with np.errstate(all="ignore"):
            scale = max(map(_rms, operands), default=0.0)
            side = -1.0 if not moving[0] and len(moving) == 2 else 1.0  # as seen by what moves
            for k, offsets in enumerate(f(params, operands)):
                finite = offsets[np.isfinite(offsets)]
                if finite.size:
                    self._add(path, k, side * finite, scale)

    def _add(self, path: Path, k: int, offsets: np.ndarray, scale: float) -> None:
        site = self.sites.get((path, k))
        where = (site.primitive, site.place) if site else self._where(path)
        below, above, ties = (int(s.sum()) for s in (offsets < 0, offsets > 0, offsets == 0))
        gap = float(np.abs(offsets).min(initial=INF))
        found = Site(*where, below, above, ties, gap / scale if scale else 0.0)
        self.sites[path, k] = site.plus(found) if site else found

    def _where(self, path: Path) -> tuple[str, str]:
        """The primitive, and file, line and function of the innermost equation that knows them,
        else its function."""
        name = self.equations[path].primitive.name
        above = [
            self.equations[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.equations
        ]
        for eqn in above:
            if place := place_of(eqn):
                return name, place
        calls = (inside.program for inside in map(held, above) if isinstance(inside, Call))
        return name, name_of(next(calls, self.program))


def _with_itself(eqn: Equation) -> bool:
    return len(eqn.invars) == 2 and eqn.invars[0] is eqn.invars[1]


def _as_float(value: ArrayLike) -> np.ndarray:
    value = np.asarray(value)
    return np.abs(value) if np.iscomplexobj(value) else value.astype(np.float64)


def _rms(x: np.ndarray) -> float:
    x = x[np.isfinite(x)]
    return float(np.sqrt(np.mean(x * x))) if x.size else 0.0
