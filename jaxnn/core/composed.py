"""Factors made of factors: masked, along directions, used in several places, of several layers."""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn.core.factors import Changed, Factor
from jaxnn.core.types import Array, ArrayLike


class Masked(Changed):
    """The gradient of `part`, entry by entry times `mask`: a parameter used as mask * w.

    mask is shaped like the parameter and the same for all examples.
    """

    mask: Any

    def contract(self, c: ArrayLike = 1.0) -> Array:
        return self.mask * self.part.contract(c)

    def transposed(self) -> "Masked":
        return Masked(self.part.transposed(), self.mask.T)


class Along(Changed):
    """<q, G> for each output, over all axes but the last: (n_out,), of a G (..., n_out).

    How far the gradient of `part` goes along q, shaped like the parameter.
    """

    q: Any

    def contract(self, c: ArrayLike = 1.0) -> Array:
        return along(self.q, self.part.contract(c))


class Across(Changed):
    """gain G - sum p <q, G> over the pairs (p, q), of a G (..., n_out).

    With one pair (gain u, u), u of length 1, what of the gradient of `part` stands at right angles
    to u. gain is (n_out,), p and q are shaped like the parameter.
    """

    gain: Any
    pairs: tuple[tuple[Any, Any], ...]

    def contract(self, c: ArrayLike = 1.0) -> Array:
        g = self.part.contract(c)
        found = self.gain.astype(g.dtype) * g
        for p, q in self.pairs:
            found = found - p.astype(g.dtype) * along(q, g)
        return found

    def turned(self, v: Array) -> Array:
        """The direction in which G itself is as far as this is along v."""
        found = self.gain * v
        for p, q in self.pairs:
            found = found - q * along(p, v)
        return found


def along(q: Array, g: Array) -> Array:
    """<q, g> over all axes but the last."""
    return (q.astype(g.dtype) * g).sum(tuple(range(g.ndim - 1)))


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
