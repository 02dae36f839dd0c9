"""Readings that are linear in the gradients of the examples: sums, products, and these themselves.

With g_n = dl_n/dw, the gradient of one example.
"""

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Across, Along, Masked, Stacked, Tied
from jaxnn.core.conv_outer import ConvOuter
from jaxnn.core.factors import Factor, Outer, Rows, Scaled, Sum
from jaxnn.core.trees import over, wide
from jaxnn.core.types import ArrayLike, Tree
from jaxnn.readings.blocks import map_blocks
from jaxnn.readings.reading import Reading


class Gradient(Reading, name="gradient"):
    """dC/dw = sum_n c_n g_n, shaped like the parameter. Micro-batches add up."""

    linear = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return factor.contract(c)

    def layers(self, found: Tree) -> Any:
        return found


class Factors(Reading, name="factors"):
    """The factors themselves: inputs and errors of every layer.

    For a bias, `.d` holds the error dl_n/dz of every example in front of that layer's addition, the
    delta of the textbooks, not yet multiplied by c. In a network that mixes examples every row has
    a part in every l_n, and `.d` is the error of sum_n (c_n / mean c) l_n. Not merged over
    micro-batches.
    """

    def merge(self, state: Tree, other: Tree) -> Any:
        raise ValueError(
            "factors: expected a reading that gets smaller than the batch, got the errors of all "
            "layers, which micro-batches are there to avoid; read them with backprop, part by part"
        )


class PerExample(Reading, name="per_example"):
    """g_n for each n, (batch, *shape). Micro-batches are concatenated."""

    per_example = True
    concatenates = True
    linear = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return factor.each()

    def layers(self, found: Tree) -> Any:
        return found.swapaxes(0, 1)


class weighted(Reading):  # written like a function, because it is used like one
    """sum_n s_n g_n for weights s (batch,) instead of c, of any sign: another objective from the
    same sweep. Micro-batches add up. Raises ValueError for an s that is not (batch,)."""

    s: Any
    per_example = True
    linear = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        n = len(jax.tree.leaves(factor.rows()[0])[0])
        if jnp.shape(self.s) != (n,):
            raise ValueError(
                f"weighted: expected s of shape ({n},), one for each example, "
                f"got {jnp.shape(self.s)}"
            )
        return factor.contract(jnp.asarray(self.s))

    def layers(self, found: Tree) -> Any:
        return found

    def part(self, rows: Tree) -> "weighted":
        return weighted(jnp.asarray(self.s)[rows])


class directional(Reading):  # written like a function, because it is used like one
    """<g_n, v> for each n and parameter, (batch,), given v with the structure of params.

    `total` adds the parameters up: the slope of l_n along v. At the price of one product with v for
    each dense layer. Micro-batches are concatenated. Raises ValueError for a v that does not fit.
    """

    v: Any
    per_example = True
    concatenates = True

    def finish(self, readings: Tree, c: ArrayLike) -> Any:
        gradients = over(Factor, lambda factor: jax.eval_shape(factor.contract), readings)
        shapes = jax.tree.map(jnp.shape, self.v), jax.tree.map(lambda g: g.shape, gradients)
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"directional: expected v with the structure and shapes of params, {shapes[1]}, "
                f"got {shapes[0]}; build v from these very params"
            )

        def along(factor: Factor, v: Tree) -> Any:
            return _along(wide(factor), wide(jnp.asarray(v)))

        return over(Factor, along, readings, self.v)


@singledispatch
def _along(factor: Factor, v: Tree) -> Any:
    """<G(d[n]), v> for each n; a kind without a rule forms its gradients."""
    return map_blocks(lambda each: (each * v).sum(tuple(range(1, each.ndim))), factor)


@_along.register
def _outer(factor: Outer, v: Tree) -> Any:
    left, right = factor.sides()
    return ((left @ v) * right).sum((1, 2))


@_along.register
def _convolved(factor: ConvOuter, v: Tree) -> Any:
    return factor.along(v)


@_along.register
def _sum(factor: Sum, v: Tree) -> Any:
    return (factor.d * v).sum(tuple(range(1, factor.d.ndim)))


@_along.register
def _scaled(factor: Scaled, v: Tree) -> Any:
    return (factor.x * factor.d * v).sum(tuple(range(1, factor.d.ndim)))


@_along.register
def _rows(factor: Rows, v: Tree) -> Any:
    looked_up = v.at[factor.ids].get(mode="fill", fill_value=0, wrap_negative_indices=False)
    return (factor.d * looked_up).sum(tuple(range(1, factor.d.ndim)))


@_along.register
def _masked(factor: Masked, v: Tree) -> Any:
    return _along(factor.part, factor.mask * v)


@_along.register
def _one_way(factor: Along, v: Tree) -> Any:
    return _along(factor.part, factor.q * v)


@_along.register
def _across(factor: Across, v: Tree) -> Any:
    return _along(factor.part, factor.turned(v))


@_along.register
def _tied(factor: Tied, v: Tree) -> Any:
    return sum(_along(part, v) for part in factor.parts)


@_along.register
def _stacked(factor: Stacked, v: Tree) -> Any:
    return jax.lax.map(lambda layer: _along(*layer), (factor.layers, v)).sum(0)


gradient = Gradient()
"""dC/dw = sum_n c_n g_n, shaped like the parameter: the default of `backprop`."""

factors = Factors()
"""The factors themselves: `.a` the inputs and `.d` the errors of every layer."""

per_example = PerExample()
"""g_n for each n, (batch, *shape)."""
