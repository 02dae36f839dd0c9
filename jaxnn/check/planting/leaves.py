"""Mistakes of single leaves of a gradient, as functions from the right leaf to the wrong one.

Each works on numpy arrays and on jax arrays, traced or not, and returns the kind that it was given.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.types import ArrayLike

Change = Callable[[Any], Any]
WIDER = {"float16": "float32", "bfloat16": "float32", "float32": "float64", "float64": "float32"}


class Kind(NamedTuple):
    """A mistake of any single leaf for which `fits` holds; `needs` says in words what does."""

    name: str
    change: Change
    fits: Callable[[Any], bool] = lambda g: True
    needs: str = "leaf"


def is_float(leaf: ArrayLike) -> bool:
    """Whether a leaf is of floating or complex numbers; keys, functions and the like are not."""
    if hasattr(leaf, "dtype"):
        return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))
    return isinstance(leaf, float | complex)


def module_of(g: ArrayLike) -> Any:
    """jax.numpy for what is JAX's, tracers included, else numpy."""
    return jnp if isinstance(g, jax.Array) else np


def zeros(g: ArrayLike) -> Any:
    """Zeros like g."""
    return module_of(g).zeros_like(g)


def _bfloat16(g: ArrayLike) -> Any:
    if jnp.iscomplexobj(g):
        return g
    if isinstance(g, jax.Array):  # a round trip by casts is what XLA takes out again
        return jax.lax.reduce_precision(g, exponent_bits=8, mantissa_bits=7)
    g = np.asarray(g)
    return g.astype(jnp.bfloat16).astype(g.dtype)


def _one_entry(value: Change) -> Change:
    """The entry in the middle replaced."""

    def change(g: ArrayLike) -> Any:
        here = np.zeros(np.shape(g), bool)
        here.flat[here.size // 2] = True
        return module_of(g).where(here, value(g), g)

    return change


def _last_row(row: Change) -> Change:
    return lambda g: module_of(g).concatenate([g[:-1], row(g)])


def _other_dtype(g: ArrayLike) -> Any:
    """The same numbers in another precision; in bfloat16 where JAX has no wider one."""
    g = g if isinstance(g, jax.Array) else np.asarray(g)
    wider = WIDER[str(g.dtype)]
    narrow = isinstance(g, jax.Array) and jnp.result_type(float) != jnp.dtype("float64")
    return g.astype(jnp.bfloat16 if wider == "float64" and narrow else wider)


EVERYWHERE: dict[str, Change] = {
    "1% too large": lambda g: 1.01 * g,
    "of the opposite sign": lambda g: -g,
    "rounded to bfloat16": _bfloat16,
}
ROWS = (lambda g: g.ndim > 0 and g.shape[0] > 1, "leaf of several rows")
ONE_LEAF = (
    Kind(
        "transposed",
        lambda g: module_of(g).swapaxes(g, -1, -2),
        lambda g: g.ndim > 1 and g.shape[-1] == g.shape[-2] > 1,
        "square leaf",
    ),
    Kind("one entry times 1.5", _one_entry(lambda g: 1.5 * g)),
    Kind("one entry NaN", _one_entry(lambda g: module_of(g).full_like(g, np.nan))),
    Kind("last row zero", _last_row(lambda g: zeros(g[-1:])), *ROWS),
    Kind("last row that of the row before", _last_row(lambda g: g[-2:-1]), *ROWS),
    Kind("rolled along the first axis", lambda g: module_of(g).roll(g, 1, axis=0), *ROWS),
    Kind("of another dtype", _other_dtype, lambda g: str(g.dtype) in WIDER, "leaf of real numbers"),
    Kind("with an axis too many", lambda g: module_of(g).asarray(g)[None]),
    Kind("left out (None)", lambda g: None),
)
