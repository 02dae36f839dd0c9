"""A function along a straight line through its arguments: t -> f(x + t v), in float64."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import dtype_of, is_inexact, norm
from jaxnn.check.numeric.ladder import ladder
from jaxnn.core.types import ArrayLike, Tree

SPREAD = 1e-3  # of the step between the smallest and the largest leaf that moves


class Line:
    """f along the direction v = tangents from x = args.

    steps: the ladder of t, coarse to fine, relative to r / max |v|, where r is the root mean square
    of a leaf (1 for a leaf of zeros). Of all leaves that move the smallest counts, so that none is
    thrown far off, though never less than 1e-3 of the largest, so that rounding leaves some digits.
    """

    def __init__(
        self, f: Callable[..., Any], args: tuple[Tree, ...], tangents: tuple[Tree, ...]
    ) -> None:
        if not isinstance(args, tuple):
            raise TypeError(
                f"expected args to be a tuple of arguments, got {type(args).__name__}; "
                "write (x,) for one argument"
            )
        self.f = f
        self.args, self.structure = jax.tree.flatten(args, is_leaf=is_none)
        self.x = [_float64(leaf, "args") for leaf in self.args]
        self.tangents = matched("tangents", tangents, "args", self.structure, self.args)
        scales = [
            (norm(x) / np.sqrt(x.size) or 1.0) / np.abs(v).max()
            for x, v in zip(self.x, self.tangents, strict=True)
            if v is not None and np.any(v)
        ]
        self.steps = ladder(max(min(scales), SPREAD * max(scales)) if scales else 1.0)

    def point(self, t: complex, rng: np.random.Generator | None = None) -> tuple:
        """x + t v, each leaf of the kind it came in; `rng` moves x by units in the last place."""

        def moved(i: int) -> Any:
            x, v = self.x[i], self.tangents[i]
            if x is None:
                return self.args[i]
            if rng is not None:
                x = x * (1 + np.finfo(np.float64).eps * rng.choice([-1, 1], x.shape))
            x = x.copy() if v is None else x + t * v  # new every time, for f may write into it
            return jnp.asarray(x) if isinstance(self.args[i], jax.Array) else x

        return self.structure.unflatten([moved(i) for i in range(len(self.x))])

    def output(self, t: float) -> tuple[list[Any], Any]:
        """The leaves of f(x + t v) as numpy float64, None for integers, and their structure."""
        with jax.enable_x64(True), np.errstate(all="ignore"):
            y = self.f(*self.point(t))
            leaves, structure = jax.tree.flatten(y, is_leaf=is_none)
            return [_float64(leaf, "output") for leaf in leaves], structure

    def leaves(self, t: float) -> list[Any]:
        """The leaves of f(x + t v)."""
        return self.output(t)[0]

    def inner(self, gradient: Tree) -> float:
        """<gradient, v> of a tree like args."""
        g = matched("gradient", gradient, "args", self.structure, self.args)
        pairs = zip(g, self.tangents, strict=True)
        return float(sum(np.vdot(a, v) for a, v in pairs if a is not None and v is not None))


def matched(
    name: str, tree: Tree, like_name: str, structure: Any, like: list[ArrayLike]
) -> list[Any]:
    """The leaves of a tree beside those it belongs to, as float64, None where nothing moves.

    None stands for a whole subtree that does not move. Raises ValueError where structure or shapes
    differ.
    """

    def spread(leaf: ArrayLike, part: ArrayLike) -> Any:
        return leaf if leaf is not None else jax.tree.map(lambda _: None, part, is_leaf=is_none)

    try:
        full = jax.tree.map(spread, tree, structure.unflatten(like), is_leaf=is_none)
        leaves = structure.flatten_up_to(full)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: expected a tree like {like_name}, {structure}, got "
            f"{jax.tree.structure(tree, is_leaf=is_none)}; give None for what does not move"
        ) from error
    found = []
    for i, (leaf, other) in enumerate(zip(leaves, like, strict=True)):
        if leaf is None or other is None or not is_inexact(other):
            found.append(None)
            continue
        if np.shape(leaf) != np.shape(other):
            raise ValueError(
                f"{name}: expected shape {np.shape(other)} at leaf {i} as in {like_name}, "
                f"got {np.shape(leaf)}"
            )
        found.append(_float64(leaf, name))
    return found


def _float64(leaf: ArrayLike, name: str) -> Any:
    """A leaf as numpy float64, always a copy, or None if it has no derivative."""
    if leaf is None or not is_inexact(leaf):
        return None
    if np.issubdtype(dtype_of(leaf), np.complexfloating):
        raise TypeError(
            f"{name}: expected real numbers, got {dtype_of(leaf)}; "
            "write the function in terms of real and imaginary parts"
        )
    return np.array(leaf, np.float64)


def is_none(leaf: ArrayLike) -> bool:
    """For trees whose None stand for leaves."""
    return leaf is None
