"""What is under test, in one form, whatever it was given as.

    y = forward(*args),    dargs = backward(args, dy) = (dy/dargs)^T dy

for the arguments `wrt` (with respect to), beside a reference that computes the same y in plain JAX
or numpy and is differentiated by the checker's own means.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn.check.numeric.arrays import FLOAT0, is_inexact, named
from jaxnn.core.types import ArrayLike, Path, Tree


class Problem(NamedTuple):
    """A forward and a backward pass, and how to judge them.

    names: of the arguments, in front of the paths of their leaves. cotangent: False for a scalar
    loss whose gradient takes no dy. linear: the map is, and so its own derivative. call: how to
    make this check again, up to its options.
    """

    title: str
    names: tuple[str, ...]
    forward: Callable[..., Any]
    backward: Callable[[tuple[Any, ...], Any], tuple[Any, ...]]
    reference: Callable[..., Any]
    wrt: tuple[int, ...]
    cotangent: bool = True
    linear: bool = False
    call: str = ""

    def variables(self, args: tuple[Tree, ...]) -> tuple[Any, ...]:
        """The arguments that the backward pass differentiates by."""
        return tuple(args[i] for i in self.wrt)

    def path(self, keys: Path) -> str:
        """The name of a place in the tuple of gradients."""
        return self.names[self.wrt[keys[0].idx]] + keystr(keys[1:]) if keys else ""

    def paths(self, args: tuple[Tree, ...]) -> list[str]:
        """The path of every leaf that has a gradient, in the order of the tree."""
        leaves: dict[str, Any] = {}
        for i in self.wrt:
            leaves |= named(args[i], self.names[i])
        return [path for path, leaf in leaves.items() if is_inexact(leaf)]


def argument_names(f: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of the first arguments of f, or `[0]`, `[1]`, ... where they have none."""
    try:
        found = [
            p.name
            for p in inspect.signature(f).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        found = []
    return tuple(found[:count]) if len(found) >= count else tuple(f"[{i}]" for i in range(count))


def title_of(f: Callable[..., Any]) -> str:
    """The name a report gives a function."""
    while not hasattr(f, "__name__"):
        inner = getattr(f, "func", None) or getattr(f, "fun", None)
        if inner is None:
            return type(f).__name__
        f = inner
    return f.__name__


def full_cotangent(y: Tree, dy: list[ArrayLike]) -> Any:
    """A cotangent of the structure of y: `dy` at its inexact leaves, float0 at those of integers,
    which is JAX's own convention. It is a jax array where y is: numpy knows no bfloat16, and makes
    another dtype of its product with a Python number."""
    given = iter(dy)

    def one(leaf: ArrayLike) -> Any:
        if not is_inexact(leaf):
            return np.zeros(np.shape(leaf), FLOAT0)
        return jnp.asarray(next(given)) if isinstance(leaf, jax.Array) else next(given)

    return jax.tree.map(one, y)


def inexact_leaves(tree: Tree) -> list[Any]:
    """The leaves that have a derivative."""
    return [leaf for leaf in jax.tree.leaves(tree) if is_inexact(leaf)]


def aligned(gradients: Tree, variables: Tree) -> tuple[list[Any], list[tuple[Any, str]]]:
    """The gradient for every leaf of `variables`, None where there is none, and what is wrong with
    the structure, by key path. None stands for zero, and for a whole subtree of zeros."""
    theirs = dict(tree_flatten_with_path(gradients, is_leaf=lambda g: g is None)[0])
    paths = [path for path, _ in tree_flatten_with_path(variables)[0]]
    found, problems = [], []
    for path in paths:
        prefix = next((path[:k] for k in range(len(path) + 1) if path[:k] in theirs), None)
        value = theirs[prefix] if prefix is not None else None
        if prefix is None or (len(prefix) < len(path) and value is not None):
            problems.append((path, "there is no gradient for it"))
            value = None
        found.append(value)
    for path, value in theirs.items():
        if value is not None and path not in paths:
            problems.append((path, "there is a gradient, but nothing it would be the gradient of"))
    ours, expected = jax.tree.structure(gradients), jax.tree.structure(variables)
    if not problems and all(g is not None for g in theirs.values()) and ours != expected:
        problems.append(((), f"the structure is {ours}, expected {expected}"))
    return found, problems
