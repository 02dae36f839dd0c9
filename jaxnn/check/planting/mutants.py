"""Mistakes to plant in what a backward pass returns, for a test to be tried on.

They are made of the gradients alone, or of the arguments on their way in, so that any function can
carry them: one traced by `jax.jit`, or one of numpy, with gradients in a tree of any kind.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path, tree_map_with_path

from jaxnn.check.planting.leaves import EVERYWHERE, ONE_LEAF, Change, is_float, module_of, zeros
from jaxnn.core.types import ArrayLike, Path, Tree


class Call(NamedTuple):
    """A call of the backward pass, which a mistake may make once more with other arguments."""

    backward: Callable[..., Any]
    args: tuple[Tree, ...]
    keywords: dict[str, Any]

    def again(self, *args: Tree) -> Any:
        """What it returns for these arguments."""
        return self.backward(*args, **self.keywords)


class Mutant(NamedTuple):
    """A mistake: plant(gradients, call) -> gradients; `leaf` is where, empty for everywhere."""

    name: str
    leaf: str
    plant: Callable[[Any, Call], Any]

    def __str__(self) -> str:
        return f"{self.name}, in {self.leaf}" if self.leaf else self.name


def mutants(
    gradients: Tree, call: Call, cotangent: bool, every_leaf: bool
) -> tuple[list[Mutant], list[str]]:
    """The mistakes that gradients like these can have, and, in words, those that they cannot."""
    leaves = {keystr(p): g for p, g in tree_flatten_with_path(gradients)[0] if is_float(g)}
    leaves = {path: g for path, g in leaves.items() if np.size(g)}
    largest = sorted(leaves, key=lambda path: -np.size(leaves[path]))  # stable: ties in order
    found = [Mutant(name, "", _everywhere(change)) for name, change in EVERYWHERE.items()]
    found += [Mutant("zero", _shown(path), _at(path, zeros)) for path in leaves]
    missing = []
    for kind in ONE_LEAF:
        fit = [path for path in largest if kind.fits(leaves[path])]
        chosen = fit if every_leaf else fit[:1]
        found += [Mutant(kind.name, _shown(path), _at(path, kind.change)) for path in chosen]
        missing += [] if fit else [f"{kind.name}: no {kind.needs}"]
    pairs = _pairs(leaves, largest)
    for a, b in pairs if every_leaf else pairs[:1]:
        found.append(Mutant("exchanged", f"{_shown(a)} and {_shown(b)}", _exchange(a, b)))
    missing += [] if pairs else ["exchanged: no two leaves of the same shape"]
    for name, plant, reason in _of_the_call(gradients, call, cotangent):
        found += [] if reason else [Mutant(name, "", plant)]
        missing += [f"{name}: {reason}"] if reason else []
    return found, missing


def _shown(path: str) -> str:
    return path or "the gradient"


def _everywhere(change: Change) -> Callable[[Any, Call], Any]:
    return lambda gradients, call: jax.tree.map(
        lambda g: change(g) if is_float(g) else g, gradients
    )


def _at(path: str, change: Change) -> Callable[[Any, Call], Any]:
    return lambda gradients, call: tree_map_with_path(
        lambda p, g: change(g) if keystr(p) == path else g, gradients
    )


def _exchange(a: str, b: str) -> Callable[[Any, Call], Any]:
    def plant(gradients: Tree, call: Call) -> Any:
        leaves = {keystr(p): g for p, g in tree_flatten_with_path(gradients)[0]}
        other = {a: leaves[b], b: leaves[a]}
        return tree_map_with_path(lambda p, g: other.get(keystr(p), g), gradients)

    return plant


def _pairs(leaves: dict[str, Any], order: list[str]) -> list[tuple[str, str]]:
    """Neighbours among the leaves of one shape and dtype."""
    alike: dict[Any, list[str]] = {}
    for path in order:
        alike.setdefault((leaves[path].shape, leaves[path].dtype), []).append(path)
    return [pair for paths in alike.values() for pair in pairwise(paths)]


def _of_the_call(
    gradients: Tree, call: Call, cotangent: bool
) -> list[tuple[str, Callable[[Any, Call], Any], str]]:
    """The mistakes that take the arguments: name, plant, and why it cannot be planted, if so."""
    mirror = "" if _parameters(gradients, call.args) else "no argument mirrors the gradients"
    decay = "1e-3 times the parameters added", _decayed, mirror
    if not cotangent:
        reason = "" if _rows(call.args[1:]) else "no batch of several rows after the first argument"
        return [decay, ("only the first example counts", _first_example, reason)]
    reason = "" if _rows(call.args[-1:]) else "it has no rows"
    first = "only the first row of the cotangent counts", _first_cotangent, reason
    return [decay, ("the cotangent taken for ones", _ones, ""), first]


def _parameters(gradients: Tree, args: tuple[Tree, ...]) -> dict[str, Any]:
    """What the gradients are gradients of, by path: the first argument, or all of them."""
    wanted = [(keystr(p), g) for p, g in tree_flatten_with_path(gradients)[0] if is_float(g)]
    for tree in (*args[:1], args):
        leaves = {keystr(p): a for p, a in tree_flatten_with_path(tree)[0] if is_float(a)}
        if all(path in leaves and np.shape(leaves[path]) == np.shape(g) for path, g in wanted):
            return leaves
    return {}


def _decayed(gradients: Tree, call: Call) -> Any:
    params = _parameters(gradients, call.args)

    def one(path: Path, g: ArrayLike) -> Any:
        p = params.get(keystr(path))
        if p is None or not is_float(g):
            return g
        return g + 1e-3 * module_of(g).asarray(p, getattr(g, "dtype", float))

    return tree_map_with_path(one, gradients)


def _rows(args: tuple[Tree, ...]) -> bool:
    """Whether the arrays have a common first axis, of several rows."""
    lengths = {a.shape[0] for a in jax.tree.leaves(args) if getattr(a, "shape", ())}
    return len(lengths) == 1 and lengths.pop() > 1


def _first_example(gradients: Tree, call: Call) -> Any:
    def repeated(a: ArrayLike) -> Any:
        return module_of(a).repeat(a[:1], a.shape[0], axis=0) if getattr(a, "shape", ()) else a

    return call.again(call.args[0], *jax.tree.map(repeated, call.args[1:]))


def _ones(gradients: Tree, call: Call) -> Any:
    ones = jax.tree.map(lambda a: module_of(a).ones_like(a) if is_float(a) else a, call.args[-1])
    return call.again(*call.args[:-1], ones)


def _first_cotangent(gradients: Tree, call: Call) -> Any:
    def first(a: ArrayLike) -> Any:
        inside = is_float(a) and getattr(a, "shape", ())
        return module_of(a).concatenate([a[:1], zeros(a[1:])]) if inside else a

    return call.again(*call.args[:-1], jax.tree.map(first, call.args[-1]))
