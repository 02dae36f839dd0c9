"""Refusals: every message says what was expected, what came, where, and what to do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.values import Static


@contextlib.contextmanager
def located(place: str, layer: Static) -> Iterator[None]:
    """Put `place`, the path of a layer in its network, in front of an error raised inside.

    Nested networks add one index each, so the message starts with the path that also finds the
    layer's parameters, as in `[2][0] Dense(30): expected ...`.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        cause = str(error.args[0]) if error.args else ""
        if not cause.startswith("["):
            own = cause.startswith(repr(layer))
            cause = f" {cause}" if own else f" {layer!r}: {cause}"
        error.args = (place + cause, *error.args[1:])
        raise


def float_dtype(x: Tree) -> Any:
    """The parameter dtype for inputs like x: x's own if floating, else JAX's default float."""
    return dtype_of(x) if jnp.issubdtype(x.dtype, jnp.floating) else dtype_of(jnp.zeros(()))


def dtype_of(x: Tree) -> Any:
    """The dtype JAX computes with, given x: float64 counts as float32 unless x64 is enabled."""
    return jax.dtypes.canonicalize_dtype(x.dtype)


def check_single(layer: Static, x: Tree) -> None:
    """Refuse an x of several entries."""
    if isinstance(x, tuple):
        raise TypeError(
            f"{layer!r}: expected x to be one array, got a tuple of {len(x)}; write "
            f"Main({layer!r}) for the first entry alone, Take(i) in front for another, or "
            "jnp.stack(x) where they are the rows of one array"
        )


def check_floating(layer: Static, x: Tree) -> None:
    """Refuse an x that is not floating point."""
    check_single(layer, x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"{layer!r}: expected floating-point x, got {x.dtype} of shape {x.shape}; "
            "for images stored as bytes put Pixels() first, else convert with x.astype(float)"
        )


def check_features(layer: Static, x: Tree) -> None:
    """Refuse an x that is not floating point (batch, ..., features)."""
    check_floating(layer, x)
    if x.ndim < 2:
        raise ValueError(
            f"{layer!r}: expected x (batch, ..., features), got shape {x.shape}; "
            "give a single example a batch axis with x[None]"
        )


def check_weight(layer: Static, w: Array, x: Tree) -> None:
    """Refuse an x whose last axis or dtype does not fit the weight w, (n_in, n_out)."""
    if x.shape[-1] != w.shape[0]:
        hint = "; put Flatten() before it" if x.ndim > 2 else ""
        raise ValueError(
            f"{layer!r}: expected x with last axis {w.shape[0]}, got shape {x.shape}{hint}"
        )
    check_dtype(layer, w, x)


def check_dtype(layer: Static, w: Array, x: Tree) -> None:
    """Refuse an x that is not of the dtype of the weight."""
    if dtype_of(x) != dtype_of(w):
        raise TypeError(
            f"{layer!r}: expected x of dtype {w.dtype} like the parameters, got {x.dtype}; "
            f"convert one of them, as in x.astype({w.dtype})"
        )


def check_record(layer: Static, params: Params, record: type) -> None:
    """Refuse parameters that are no `record`, which means they belong to another layer."""
    if not isinstance(params, record):
        raise TypeError(
            f"{layer!r}: expected parameters {record.__name__}{record._fields}, "  # pyright: ignore
            f"got {type(params).__name__}; take them from init of this very network"
        )


def check_entries(layer: Static, params: Params, n: int) -> None:
    """Refuse parameters that are no tuple of n entries, one for each inner layer."""
    if not isinstance(params, tuple) or len(params) != n:
        came = f"{len(params)} entries" if isinstance(params, (tuple, list)) else type(params)
        raise ValueError(
            f"{layer!r}: expected a tuple of {n} parameter records, one for each layer, "
            f"got {came}; take them from init of this very network"
        )


def require_key(layer: Static, key: Key, call: str = "forward(params, x, key)") -> Any:
    """The key, or an error that names the layer which needs one."""
    if key is None:
        raise ValueError(
            f"{layer!r}: expected a random key, got None; "
            f"pass one, as in {call} with key = jax.random.key(0)"
        )
    return key


def check_same_tree(name: str, tree: Tree, like_name: str, like: Tree) -> None:
    """Refuse a tree whose structure or shapes differ from those of another, at the first place."""
    ours, structure = tree_flatten_with_path(tree)
    theirs, wanted = tree_flatten_with_path(like)
    if structure != wanted:
        raise ValueError(
            f"{name}: expected the structure of {like_name}, {wanted}, got {structure}; "
            f"build {name} from these very {like_name}"
        )
    for (path, leaf), (_, other) in zip(ours, theirs, strict=True):
        if jnp.shape(leaf) != jnp.shape(other):
            raise ValueError(
                f"{name}{keystr(path)}: expected shape {jnp.shape(other)} as in {like_name}, "
                f"got {jnp.shape(leaf)}; build {name} from these very {like_name}"
            )


def is_concrete(x: Tree) -> bool:
    """Whether the values of x can be looked at now, without waiting for another device."""
    if isinstance(x, Tracer):
        return False
    return not isinstance(x, jax.Array) or x.is_fully_addressable
