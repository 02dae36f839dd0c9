"""Truncated backpropagation through time: a state that goes from mini-batch to mini-batch."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import keystr

from jaxnn.core.inputs import count
from jaxnn.core.layer import Layer, shape_like
from jaxnn.core.types import Array, ArrayLike, Key, Params, Path, Read, Tree


class Carried(Layer):
    """The layer, resumed: x is (x, state), and the state behind it is among what it observes.

    The state is a constant, so no error goes back into it.
    """

    layer: Layer
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        x, state = x
        y, residuals, state = self.layer.resume(params, state, x, key)
        return y, (residuals, state)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, readings = self.layer.backward(params, residuals[0], dy, read)
        return (dx, None), readings

    def observe(self, residuals: Tree) -> tuple[Any, Tree]:
        return self.layer.observe(residuals[0]), residuals[1]


def carried_on(net: Layer, params: Params, carry: Tree, x: Tree, fresh: Array) -> Tree:
    """The state in front of x: what was carried, and that of `begin` where a row is fresh or
    nothing was carried yet. Raises ValueError for a state of other shapes."""
    x = shape_like(x)
    first = net.begin(params, x)
    if carry is None:
        return first
    if _shapes(carry) != _shapes(first):
        raise ValueError(
            f"expected state.carry of mini-batches of {count(x)} rows, {_shapes(first)}, got "
            f"{_shapes(carry)}; begin anew with state._replace(carry=None)"
        )

    def chosen(anew: Array, old: Array, axis: int) -> Array:
        return jnp.where(fresh.reshape(-1, *(1,) * (old.ndim - axis - 1)), anew, old)

    return jax.tree.map(chosen, first, carry, _axes(net, params, x))


def _axes(net: Layer, params: Params, x: Tree) -> Tree:
    """Along which axis of each array of the state the examples lie: it is longer for one more."""

    def begun(more: int) -> Tree:
        like = jax.tree.map(
            lambda e: jax.ShapeDtypeStruct((e.shape[0] + more, *e.shape[1:]), e.dtype), x
        )
        return jax.eval_shape(net.begin, params, like)

    def axis(path: Path, one: Array, more: Array) -> int:
        for i, (a, b) in enumerate(zip(one.shape, more.shape, strict=True)):
            if a != b:
                return i
        raise ValueError(
            f"{net!r}: expected a state with an axis for the examples in each array, got "
            f"{one.shape} at {keystr(path)}; give it (batch,) in front"
        )

    return jax.tree_util.tree_map_with_path(axis, begun(0), begun(1))


def _shapes(tree: Tree) -> Any:
    return jax.tree.map(jnp.shape, tree)


def check_fresh(fresh: ArrayLike, n: int, micro_batches: int) -> Any:
    """`fresh` as an array. Raises ValueError unless it has one entry for each of the n rows of x,
    and for micro-batches."""
    if fresh is None:
        return None
    fresh = jnp.asarray(fresh, bool)
    if fresh.shape != (n,):
        raise ValueError(
            f"expected fresh ({n},), one for each row of x, got shape {fresh.shape}; np.zeros(n, "
            "bool) where all go on"
        )
    if micro_batches != 1:
        raise ValueError(
            f"expected micro_batches 1 with `fresh`, got {micro_batches}; the state is that of a "
            "whole mini-batch: take fewer rows, which then go on for longer"
        )
    return fresh


def check_rows(n: int, batch_size: int) -> None:
    """Refuse a smaller last mini-batch, from which not all rows could go on."""
    if n % batch_size:
        raise ValueError(
            f"expected an order of whole mini-batches of {batch_size} with `fresh`, got {n} rows; "
            "leave out the last of every sequence, or fill up with rows of weight 0"
        )
