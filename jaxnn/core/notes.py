"""Notes: what was seen of a layer, a value among residuals or readings. `jaxnn.core.watch` takes
them."""

import itertools
from typing import Any

import jax

from jaxnn.core.types import Tree
from jaxnn.core.values import Pytree, static


class Seen(Pytree):
    """A note of the layer at `path`. In a `Repeat` each of its arrays has a first axis of n, and
    `stacked` is (n,): one entry for each of the layers."""

    path: str = static()
    layer: Any = static()
    value: Any
    stacked: tuple[int, ...] = static(default=())

    def each(self) -> list[tuple[tuple[int, ...], Any]]:
        """(place, note) of each layer that shares the path; the place is () outside of a Repeat."""
        places = itertools.product(*map(range, self.stacked))
        return [(place, self.at(place)) for place in places]

    def at(self, place: tuple[int, ...]) -> Any:
        """The note of the layer at that place."""
        return jax.tree.map(lambda leaf: leaf[place], self.value)


def seen(tree: Tree) -> list[Seen]:
    """The notes in `net.observe(residuals)`, or among readings, in the order of the layers, inner
    ones before outer ones."""
    leaves = jax.tree.leaves(tree, is_leaf=_is_seen)
    return [leaf for leaf in leaves if _is_seen(leaf)]


def stacked(tree: Tree, n: int) -> Tree:
    """The tree with its notes known to be of n layers each, as a `Repeat` leaves them."""

    def known(node: Any) -> Any:
        return node.replace(stacked=(n, *node.stacked)) if _is_seen(node) else node

    return jax.tree.map(known, tree, is_leaf=_is_seen)


def _is_seen(node: Any) -> bool:
    return isinstance(node, Seen)
