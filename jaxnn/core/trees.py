"""Trees: what is done to every leaf, or to every value of a kind."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.types import Array, Dtype, Tree


def over(kind: type, function: Callable[..., Any], *trees: Tree) -> Tree:
    """`function` in the place of every value of that kind in the trees."""
    return jax.tree.map(function, *trees, is_leaf=lambda node: isinstance(node, kind))


def wide_dtype(leaf: Array) -> Dtype:
    """The dtype sums over a leaf are kept in: its own, but never less than float32."""
    return leaf.dtype if leaf.dtype.itemsize >= 4 else jnp.float32


def wide(tree: Tree) -> Tree:
    """The tree with its floating-point leaves at least in float32, for sums of squares. A node that
    has `widened` does it itself."""

    def widen(node: Any) -> Any:
        return node.widened() if hasattr(node, "widened") else cast(node, wide_dtype(node))

    return jax.tree.map(widen, tree, is_leaf=lambda node: hasattr(node, "widened"))


def cast(tree: Tree, dtype: Dtype) -> Any:
    """The tree with its floating-point arrays of that dtype, unless that is one of integers."""
    if not jnp.issubdtype(dtype, jnp.floating):
        return tree

    def convert(leaf: Array) -> Any:
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(convert, tree)


def global_norm(tree: Tree) -> Array:
    """The Euclidean norm of all numbers of a tree, at least in float32."""
    leaves = [leaf.astype(wide_dtype(leaf)) for leaf in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(jnp.vdot(leaf, leaf) for leaf in leaves))


def all_finite(tree: Tree) -> Array:
    """Whether every floating-point number of a tree is finite."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return jnp.array([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def added(a: Tree, b: Tree) -> Tree:
    """The sum of two tangents or two derivatives, entry by entry; None stands for zero."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, tuple):
        return tuple(added(one, other) for one, other in zip(a, b, strict=True))
    return a + b
