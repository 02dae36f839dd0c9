"""Reading inside a layer's own scan: part by part where that adds up, else all parts as one."""

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.composed import Tied
from jaxnn.core.conv_outer import ConvOuter, LocalOuter
from jaxnn.core.factors import Changed, Factor, Formed, Outer, Rows, Scaled, Sum
from jaxnn.core.reader import Found, Reader, as_reader, keep, marked, over_found
from jaxnn.core.trees import over
from jaxnn.core.types import Array, Read, Tree

Step = Callable[[Any, Any, Reader], tuple[Any, Any, Any]]


class Cut(NamedTuple):
    """How arrays (*batch, ...) are cut along an axis of that size, `step` at a time."""

    axis: int
    size: int
    step: int

    def __call__(self, tree: Tree, start: Array | int, length: int) -> Tree:
        def part(leaf: Array) -> Array:
            return lax.dynamic_slice_in_dim(leaf, start, length, self.axis) if leaf.ndim else leaf

        return jax.tree.map(part, tree)

    def put(self, whole: Tree, part: Tree, start: Array | int) -> Tree:
        """`whole` with a part in its place."""

        def put(whole: Array, part: Array) -> Array:
            return lax.dynamic_update_slice_in_dim(whole, part, start, self.axis)

        return jax.tree.map(put, whole, part)

    def groups(self, step: Callable[[int], Step]) -> list[tuple[Step, Array]]:
        """What `summed` takes: the steps of full length with where each starts, and one of what is
        left. `step(length)` makes them."""
        whole, rest = divmod(self.size, self.step)
        groups = [(step(self.step), self.step * jnp.arange(whole))]
        return groups + [(step(rest), jnp.array([self.step * whole]))] * (rest > 0)


def summed(
    read: Read, groups: Sequence[tuple[Step, Tree]], carry: Tree, *, axis: int = 1
) -> tuple[Tree, list[Tree], Tree]:
    """Scans over the parts of a batch, whose factors belong to the same parameters:

        step(carry, part, read) -> (carry, out, readings)    for each part of each (step, parts)

    Returns (carry, outs of each group, readings). A linear reading is taken of each part and added
    up, so that no factor outlives its step. Of any other the factors are joined, and read as one.
    They are parts along `axis`: 1, the positions of all examples, or 0, the examples, which add up
    only where `read.rows` says how.
    """
    read, outs, kept = as_reader(read), [], []
    adds = read.linear and (axis > 0 or read.rows is not None)
    each, total = marked(read) if adds else keep, None

    for step, parts in groups:

        def body(state: Tree, part: Tree, step: Step = step) -> tuple[Tree, Tree]:
            carry, total = state
            carry, out, readings = step(carry, part, each)
            if not adds:
                return (carry, None), (out, readings)
            return (carry, jax.tree.map(jnp.add, total, readings)), (out, None)

        if adds and total is None:
            first = jax.tree.map(lambda leaf: leaf[0], parts)
            total = _zeros(jax.eval_shape(lambda: step(carry, first, each)[2]))  # noqa: B023
        (carry, total), (out, found) = lax.scan(body, (carry, total), parts)
        outs.append(out)
        kept.append(found)
    if adds:
        return carry, outs, over_found(lambda value: value, total)
    return carry, outs, over(Found, lambda *found: _read(read, found, axis), *kept)


def _zeros(like: Tree) -> Tree:
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)


def _read(read: Reader, found: tuple[Any, ...], axis: int) -> Any:
    if not isinstance(found[0], Found):
        return found[0]
    first, *others = (one.value for one in found)
    return read.whole(joined(first, others, axis))


@singledispatch
def joined(factor: Factor, others: list[Any], axis: int) -> Factor:
    """The factor of a batch, given those of its parts, stacked along a first axis, and `others`
    likewise. Parts along the positions are so many uses of the parameter, if nothing is known of
    the kind."""
    if axis == 0:
        raise TypeError(
            f"expected a factor that can be put together of those of some rows, got "
            f"{type(factor).__name__}; take a reading that adds up, such as gradient"
        )
    return Tied(tuple(one for stack in (factor, *others) for one in _apart(stack)))


def _apart(stack: Factor) -> list[Factor]:
    n = len(jax.tree.leaves(stack)[0])
    return [jax.tree.map(lambda leaf, i=i: leaf[i], stack) for i in range(n)]


def _in_a_row(factor: Any, others: list[Any], axis: int) -> Any:
    """All arrays (k, ...) with their k parts in a row along an axis."""

    def merged(leaf: Array) -> Array:
        before, after = leaf.shape[1 : axis + 1], leaf.shape[axis + 2 :]
        return jnp.moveaxis(leaf, 0, axis).reshape(*before, -1, *after)

    return jax.tree.map(
        lambda *leaves: jnp.concatenate([merged(leaf) for leaf in leaves], axis), factor, *others
    )


for _kind in (Outer, Sum, Scaled, Rows):
    joined.register(_kind, _in_a_row)


@joined.register
def _windowed(factor: ConvOuter | LocalOuter, others: list[Any], axis: int) -> Factor:
    if axis == 0:
        return _in_a_row(factor, others, axis)
    return joined.dispatch(Factor)(factor, others, axis)  # windows do not reach into other parts


@joined.register
def _formed(factor: Formed, others: list[Any], axis: int) -> Formed:
    if axis == 0:
        return _in_a_row(factor, others, axis)
    return Formed(sum((other.d.sum(0) for other in others), factor.d.sum(0)))


@joined.register
def _changed(factor: Changed, others: list[Any], axis: int) -> Changed:
    part = joined(factor.part, [one.part for one in others], axis)
    return jax.tree.map(lambda leaf: leaf[0], factor.replace(part=None)).replace(part=part)


@joined.register
def _tied(factor: Tied, others: list[Any], axis: int) -> Tied:
    parts = zip(factor.parts, *(one.parts for one in others), strict=True)
    return Tied(tuple(joined(part, list(same), axis) for part, *same in parts))
