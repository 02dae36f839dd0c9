"""What `read` is: what a backward sweep asks of the factor of each parameter.

    read(factor)         the reading of one parameter
    read.linear          whether the reading of a sum of factors is the sum of their readings
    read.layers(found)   the readings of n equal layers, stacked along a first axis, as one
    read.rows(rows)      what to ask of the factors of some rows of the batch, if that adds up

A layer calls `read(factor)` and need not know more. The others let a layer with a scan of its own
read inside it, part by part, so that no factor outlives its step. Any function of a factor may
stand for `read`; of one that says nothing about itself, factors are kept until they are whole.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import lax

from jaxnn.core.composed import Stacked
from jaxnn.core.factors import Factor
from jaxnn.core.trees import over
from jaxnn.core.types import Array, Read, Tree
from jaxnn.core.values import Pytree


class Reader(NamedTuple):
    """A function of a factor that says what it is; None stands where nobody knows."""

    function: Callable[[Any], Any]
    linear: bool = False
    layers: Callable[[Any], Any] | None = None
    rows: "Callable[[Array], Reader] | None" = None

    def __call__(self, factor: Factor) -> Any:
        return self.function(factor)

    def whole(self, factor: Factor) -> Any:
        """The reading of a factor that was kept; of n equal layers, one layer after the other."""
        if self.layers is None or not isinstance(factor, Stacked):
            return self(factor)
        return self.layers(lax.map(self.whole, factor.layers))

    def after(self, change: Callable[[Any], Any]) -> "Reader":
        """The same reading of `change(factor)`."""
        rows = self.rows
        return self._replace(
            function=lambda factor: self.function(change(factor)),
            rows=None if rows is None else lambda some: rows(some).after(change),
        )


def as_reader(read: Read) -> Reader:
    """`read` itself, what a reading of `jaxnn.readings` says of itself, or a function of which
    nothing is known."""
    if isinstance(read, Reader):
        return read
    told = getattr(read, "reader", None)
    return Reader(read) if told is None else told(1.0)


class Found(Pytree):
    """What was read of one parameter, known among other trees."""

    value: Any


def over_found(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """`function` of all that was read, in a tree that may hold notes besides."""
    return over(Found, lambda one: function(one.value) if isinstance(one, Found) else one, tree)


keep = Reader(Found, layers=lambda one: Found(Stacked(one.value)))
"""Reads nothing yet: the factor is `Found`, to be read later."""


def marked(read: Reader) -> Reader:
    """The same reading, every answer `Found`."""
    layers, rows = read.layers, read.rows
    return Reader(
        lambda factor: Found(read(factor)),
        read.linear,
        None if layers is None else lambda one: Found(layers(one.value)),
        None if rows is None else lambda some: marked(rows(some)),
    )


def inside(read: Read) -> tuple[Reader, Callable[[Tree], Tree]]:
    """(read, stack): what to read of each of n equal layers inside a scan, and what makes the
    readings of the stack of what the scan leaves."""
    read = as_reader(read)
    layers = read.layers
    if layers is None:  # the factors leave the scan, and are read as one behind it
        return keep, lambda tree: over_found(lambda factor: read(Stacked(factor)), tree)
    return marked(read), lambda tree: over_found(layers, tree)
