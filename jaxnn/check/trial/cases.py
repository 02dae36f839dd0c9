"""A draw as flat arrays, to be saved with the report of a failure and run again."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import is_inexact, is_numeric
from jaxnn.check.reference.truth import Draw
from jaxnn.core.types import ArrayLike, Tree


def case_of(draw: Draw, dtype: str) -> dict[str, np.ndarray]:
    """The draw of a run in `dtype`: `args/...` by position in the tree, and `dy/...`."""
    leaves = [a for a in jax.tree.leaves(draw.args) if is_numeric(a)]
    found = {f"args/{i}": np.asarray(a) for i, a in enumerate(leaves)}
    found |= {f"dy/{i}": np.asarray(a) for i, a in enumerate(draw.dy)}
    return found | {"seed": np.array(draw.seed), "dtype": np.array(dtype)}


def draw_of(case: Mapping[str, Any], args: tuple[Tree, ...], held: str) -> Draw:
    """The draw that `case_of` wrote down, in the structure of args. Raises ValueError for a case of
    other arguments."""
    leaves, structure = jax.tree.flatten(args)
    places = [k for k, leaf in enumerate(leaves) if is_numeric(leaf)]
    saved = [case[name] for name in (f"args/{i}" for i in range(len(case))) if name in case]
    shapes, expected = [np.shape(a) for a in saved], [np.shape(leaves[k]) for k in places]
    if shapes != expected:
        raise ValueError(f"inputs: expected a case with arguments of {expected}, got {shapes}")
    for k, a in zip(places, saved, strict=True):
        leaves[k] = _as_given(leaves[k], a)
    dy = [case[name] for name in (f"dy/{i}" for i in range(len(case))) if name in case]
    return Draw(int(case["seed"]), held, jax.tree.unflatten(structure, leaves), dy)


def _as_given(leaf: ArrayLike, saved: ArrayLike) -> Any:
    """Floats are numpy's in every draw; what has no derivative is of the type that it was."""
    if isinstance(leaf, int):
        return type(leaf)(saved)
    is_jax = isinstance(leaf, jax.Array) and not is_inexact(leaf)
    return jnp.asarray(saved) if is_jax else saved
