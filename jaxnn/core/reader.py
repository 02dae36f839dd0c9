"""What `read` is: what a backward sweep asks of the factor of each parameter.

    read(factor)         the reading of one parameter
    read.linear          whether the reading of a sum of factors is the sum of their readings
    read.layers(found)   the readings of n equal layers, stacked along a first axis, as one

A layer calls `read(factor)` and need not know more. The other two let a layer with a scan of its
own read inside it, part by part, so that no factor outlives its step. Any function of a factor may
stand for `read`; of one that says nothing about itself, factors are kept until they are whole.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxnn.core.composed import Stacked
from jaxnn.core.factors import Factor
from jaxnn.core.trees import over
from jaxnn.core.types import Read, Tree
from jaxnn.core.values import Pytree


class Reader(NamedTuple):
    """A function of a factor that says what it is; `layers` is None where nobody knows."""

    function: Callable[[Any], Any]
    linear: bool = False
    layers: Callable[[Any], Any] | None = None

    def __call__(self, factor: Factor) -> Any:
        return self.function(factor)

    def after(self, change: Callable[[Any], Any]) -> "Reader":
        """The same reading of `change(factor)`."""
        return self._replace(function=lambda factor: self.function(change(factor)))


def as_reader(read: Read) -> Reader:
    """`read` itself, or a function that says nothing of itself."""
    return read if isinstance(read, Reader) else Reader(read)


class _One(Pytree):
    """What was read of one parameter, known among other trees."""

    found: Any


def inside(read: Read) -> tuple[Reader, Callable[[Tree], Tree]]:
    """(read, stack): what to read of each of n equal layers inside a scan, and what makes the
    readings of the stack of what the scan leaves."""
    read = as_reader(read)
    layers = read.layers
    if layers is None:  # the factors leave the scan, and are read as one behind it
        each = Reader(_One, layers=lambda one: _One(Stacked(one.found)))
        return each, lambda tree: _over_all(lambda found: read(Stacked(found)), tree)
    each = Reader(lambda f: _One(read(f)), read.linear, lambda one: _One(layers(one.found)))
    return each, lambda tree: _over_all(layers, tree)


def _over_all(function: Callable[[Any], Any], tree: Tree) -> Tree:
    """`function` of all that was read, in a tree that may hold notes besides."""
    return over(_One, lambda one: function(one.found) if isinstance(one, _One) else one, tree)
