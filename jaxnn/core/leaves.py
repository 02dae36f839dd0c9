"""Trees taken apart: into leaves that a loop changes and others, without leaves known elsewhere."""

from collections.abc import Sequence
from typing import Any

import jax

from jaxnn.core.types import Tree
from jaxnn.core.values import Pytree, Static, static


class Route(Static):
    """Which leaves of x the layers change, and which they only pass on."""

    moves: tuple[bool, ...]
    structure: Any

    def split(self, x: Tree) -> tuple[list[Any], list[Any]]:
        """The leaves that change, and the others."""
        leaves = list(zip(self.moves, jax.tree.leaves(x), strict=True))
        return [a for moves, a in leaves if moves], [a for moves, a in leaves if not moves]

    def join(self, moving: list[Any], passing: list[Any]) -> Any:
        """x again."""
        changed, others = iter(moving), iter(passing)
        return self.structure.unflatten(next(changed if m else others) for m in self.moves)


class Rest(Pytree):
    """A tree without the arrays that are known from elsewhere: where each leaf is found, in those
    and `others` together."""

    others: tuple[Any, ...]
    places: tuple[int, ...] = static()
    structure: Any = static()

    def needs(self, first: int, last: int) -> bool:
        """Whether one of these known arrays is a leaf, `last` not among them."""
        return any(first <= place < last for place in self.places)

    def whole(self, known: Sequence[Any]) -> Any:
        """The tree again."""
        arrays = (*known, *self.others)
        return self.structure.unflatten(arrays[place] for place in self.places)


def without(tree: Tree, known: Sequence[Any]) -> Rest:
    """The tree without these very arrays, and with those that it holds twice only once."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = list(known)
    for leaf in leaves:
        if not any(leaf is array for array in arrays):
            arrays.append(leaf)
    index = {id(array): place for place, array in reversed(list(enumerate(arrays)))}
    places = tuple(index[id(leaf)] for leaf in leaves)
    return Rest(tuple(arrays[len(known) :]), places, structure)
