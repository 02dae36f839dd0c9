"""Several transformations as one, and one from elsewhere."""

from typing import Any

import jax
import numpy as np

from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.values import Pytree, Static
from jaxnn.optim.asking import asked, asks_more, check_inner, loss_scale, reported, started
from jaxnn.optim.transforms import Transformation
from jaxnn.readings.reading import Reading


class Chain(Pytree):
    """Transformations one after the other; `chain(clip_by_global_norm(1.0), Adam(1e-3))`.

    The first may read more of the sweep than the gradient, see `jaxnn.optim.asking`; the others get
    what the one in front of them gives. Raises ValueError for another one that reads more.
    """

    transforms: tuple[Any, ...]

    def __post_init__(self) -> None:
        for transform in self.transforms:
            check_inner(transform)
        for i, transform in enumerate(self.transforms[1:], 1):
            if asks_more(transform):
                raise ValueError(
                    f"chain: expected only the first to read more than the gradient, got "
                    f"{transform!r} at [{i}]; put it first"
                )

    def __repr__(self) -> str:
        return f"chain({', '.join(map(repr, self.transforms))})"

    def read(self, state: Tree) -> Reading:
        return asked(self.transforms[0] if self.transforms else None, state and state[0])

    def init(self, params: Params) -> tuple[Any, ...]:
        return tuple(transform.init(params) for transform in self.transforms)

    def start(self, params: Params, found: Tree, key: Key) -> tuple[Any, ...]:
        first = tuple(started(transform, params, found, key) for transform in self.transforms[:1])
        return (*first, *(started(t, params, params, key) for t in self.transforms[1:]))

    def update(self, found: Tree, state: Tree, params: Params) -> tuple[Any, Any]:
        states = []
        for transform, s in zip(self.transforms, state, strict=True):
            found, s = transform.update(found, s, params)
            states.append(s)
        return found, tuple(states)

    def report(self, state: Tree) -> dict[str, Any]:
        each = zip(self.transforms, state, strict=True)
        return {name: value for t, s in each for name, value in reported(t, s).items()}


def chain(*transforms: Transformation) -> Chain:
    """The transformations one after the other, as one."""
    return Chain(transforms)


class Foreign(Static):
    """A transformation from elsewhere, as structure: a pair of functions cannot be a jit argument.

    It is compared as the object inside is; one made of closures compiles again when built anew.
    """

    transformation: Any

    def init(self, params: Params) -> Params:
        return self.transformation.init(params)

    def read(self, state: Tree) -> Reading:
        return asked(self.transformation, state)

    def start(self, params: Params, found: Tree, key: Key) -> Tree:
        return started(self.transformation, params, found, key)

    def update(self, found: Tree, state: Tree, params: Params) -> tuple[Any, Any]:
        return self.transformation.update(found, state, params)

    def report(self, state: Tree) -> dict[str, Any]:
        return reported(self.transformation, state)

    def loss_scale(self, state: Tree) -> Any:
        return loss_scale(self.transformation, state)


def as_argument(transformation: Any) -> Any:
    """The transformation itself if its leaves are numbers and arrays, else wrapped as structure."""
    leaves = jax.tree.leaves(transformation)
    own = all(isinstance(leaf, (int, float, np.number, np.ndarray, jax.Array)) for leaf in leaves)
    return transformation if own else Foreign(transformation)
