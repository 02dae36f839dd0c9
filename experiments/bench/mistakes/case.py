"""One run of a planted mistake: somebody's code, and arguments in the precision of the run."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Candidate, Model


class Case(NamedTuple):
    """One run: the model, somebody's code for it, and arguments in the precision of the run."""

    model: Model
    candidate: Candidate
    args: tuple[Any, ...]
    seed: int

    @property
    def leaves(self) -> list[Any]:
        """The arrays that have a gradient, in the order of the arguments."""
        return [a for a in jax.tree.leaves(self.args) if is_float(a)]

    def joined(self, leaves: Any) -> tuple[Any, ...]:
        """The arguments with other arrays in the places of `leaves`."""
        found = iter(leaves)
        return jax.tree.map(lambda a: next(found) if is_float(a) else a, self.args)


def is_float(a: Any) -> bool:
    """Whether an array is of floating numbers."""
    return bool(jnp.issubdtype(a.dtype, jnp.floating))


def case_of(model: Model, number: int, seed: int, dtype: str) -> Case:
    """A fresh plant of the mistake, at the arguments of a seed. To be called with the dtype on."""

    def cast(a: Any) -> Any:
        if not is_float(a):
            return a
        own = np.array(a, dtype)
        return own if isinstance(a, np.ndarray) else jnp.asarray(own)

    return Case(model, model.plant(number), jax.tree.map(cast, model.draw(seed)), seed)
