"""Factors made of factors: masked, used in several places, of several layers."""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn.core.factors import Factor
from jaxnn.core.types import Array, ArrayLike


class Masked(Factor):
    """The gradient of `part`, entry by entry times `mask`: a parameter used as mask * w.

    mask is shaped like the parameter and the same for all examples.
    """

    part: Factor
    mask: Any

    def contract(self, c: ArrayLike = 1.0) -> Array:
        return self.mask * self.part.contract(c)

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        arrays, build = self.part.rows()
        return arrays, lambda some: Masked(build(some), self.mask)

    def errors(self) -> tuple[Array, ...]:
        return self.part.errors()

    def size(self) -> int:
        return self.part.size()

    def scaled(self, s: Array) -> "Masked":
        return Masked(self.part.scaled(s), self.mask)

    def transposed(self) -> "Masked":
        return Masked(self.part.transposed(), self.mask.T)


class Tied(Factor):
    """The sum of several factors: one parameter that is used in several places."""

    parts: tuple[Factor, ...]

    def contract(self, c: ArrayLike = 1.0) -> Array:
        first, *others = (part.contract(c) for part in self.parts)
        return sum(others, start=first)

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        arrays, builds = zip(*(part.rows() for part in self.parts), strict=True)
        return arrays, lambda some: Tied(tuple(b(s) for b, s in zip(builds, some, strict=True)))

    def errors(self) -> tuple[Array, ...]:
        return sum((part.errors() for part in self.parts), ())

    def size(self) -> int:
        return sum(part.size() for part in self.parts)

    def scaled(self, s: Array) -> "Tied":
        return Tied(tuple(part.scaled(s) for part in self.parts))

    def transposed(self) -> "Tied":
        return Tied(tuple(part.transposed() for part in self.parts))


class Stacked(Factor):
    """The factors of n equal layers as one: dw[l] = the gradient of layer l, (n, *shape of w).

    `layers` is the factor of one of them, each of its arrays with a first axis of n.
    """

    layers: Any

    def contract(self, c: ArrayLike = 1.0) -> Array:
        return jax.vmap(lambda layer: layer.contract(c))(self.layers)

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        arrays = jax.vmap(lambda layer: layer.rows()[0])(self.layers)

        def build(some: Any) -> "Stacked":
            rebuilt = jax.vmap(lambda layer, rows: layer.rows()[1](rows))
            return Stacked(rebuilt(self.layers, _swapped(some)))

        return _swapped(arrays), build

    def errors(self) -> tuple[Array, ...]:
        """Those of the layers, (n, batch, ...)."""
        return jax.vmap(lambda layer: layer.errors())(self.layers)

    def size(self) -> int:
        one = jax.tree.map(lambda leaf: leaf[0], self.layers)
        return len(jax.tree.leaves(self.layers)[0]) * one.size()

    def scaled(self, s: Array) -> "Stacked":
        return Stacked(jax.vmap(lambda layer: layer.scaled(s))(self.layers))

    def transposed(self) -> "Stacked":
        return Stacked(jax.vmap(lambda layer: layer.transposed())(self.layers))


def _swapped(arrays: Any) -> Any:
    """The first two axes, layers and examples, exchanged."""
    return jax.tree.map(lambda leaf: leaf.swapaxes(0, 1), arrays)
