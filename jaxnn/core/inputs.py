"""Inputs of a network: an array, or a tuple of arrays with the main one first.

    x = ids                    x = (ids, lengths)                    x = (words, memory)

All entries have the examples along their first axis. So the rows of a mini-batch, a chunk, and the
number of examples are asked of all of them at once, with the functions here.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.types import ArrayLike, Tree


def several(x: Tree) -> bool:
    """Whether x is a tuple with arrays in it. One of numbers or lists is an array yet to be made,
    and so is one of arrays without axes."""
    if isinstance(x, tuple):
        return any(several(entry) or bool(getattr(entry, "shape", ())) for entry in x)
    return False


def as_array(x: ArrayLike) -> Any:
    """x as an array of JAX; one that is one already costs nothing."""
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


def as_arrays(x: Tree) -> Any:
    """The inputs as arrays of JAX."""
    return tuple(map(as_arrays, x)) if several(x) else as_array(x)


def main_of(x: Tree) -> Any:
    """The array itself, or the first of several."""
    return main_of(x[0]) if isinstance(x, tuple) and x else x


def entries(x: Tree, n: int) -> tuple[Any, ...]:
    """The n entries of a derivative, where None stands for all of them."""
    return (None,) * n if x is None else x


def count(x: Tree) -> int:
    """How many examples x has."""
    return main_of(x).shape[0]


def rows_of(x: Tree, rows: ArrayLike) -> Any:
    """Some rows of every entry; `rows` is what indexes the first axis of an array."""
    return jax.tree.map(lambda entry: entry[rows], x)


def in_parts(x: Tree, n: int) -> Any:
    """Every entry as n parts of equal length, (n, examples / n, ...)."""
    return jax.tree.map(lambda entry: entry.reshape(n, -1, *entry.shape[1:]), x)


def described(x: Tree) -> str:
    """dtype and shape of every entry, for a message."""
    if isinstance(x, tuple):
        return f"({', '.join(map(described, x))}{',' if len(x) == 1 else ''})"
    return f"{x.dtype} {x.shape}" if hasattr(x, "shape") else repr(x)


def check_examples(x: Tree) -> None:
    """Refuse an x without examples, and entries of unequal length."""
    lengths = [jnp.shape(entry)[:1] for entry in jax.tree.leaves(x)]
    if not lengths or any(length in ((), (0,)) for length in lengths):
        raise ValueError(
            f"expected x with one or more examples along its first axis, got {described(x)}"
        )
    if len(set(lengths)) > 1:
        raise ValueError(
            "expected entries of x of one length, with the examples along the first axis of each, "
            f"got {described(x)}; repeat what all examples share, once for each"
        )


def check_outputs(who: object, outputs: Tree) -> None:
    """Refuse outputs in several arrays."""
    if isinstance(outputs, tuple):
        raise TypeError(
            f"{who}: expected a network with one array of outputs, got {described(outputs)}; end "
            "it with Take(0), which keeps the first"
        )
