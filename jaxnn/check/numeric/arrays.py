"""Trees of numbers as the checker handles them: named leaves, casts, draws, norms.

Values are kept in numpy float64 between runs, where every number of a lower precision has its exact
place, and are cast on the way into a run.
"""

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn.core.types import ArrayLike, Dtype, Tree

FLOAT0 = jax.dtypes.float0


def is_inexact(leaf: ArrayLike) -> bool:
    """True for what has a derivative: arrays and numbers of floats or complex numbers."""
    return bool(jnp.issubdtype(dtype_of(leaf), jnp.inexact))


def is_numeric(leaf: ArrayLike) -> bool:
    """True for arrays and numbers, and for what is true or false; not for random keys."""
    return any(jnp.issubdtype(dtype_of(leaf), kind) for kind in (np.number, np.bool_))


def dtype_of(leaf: ArrayLike) -> Any:
    """The dtype of an array, a shape, or a Python number."""
    return leaf.dtype if hasattr(leaf, "dtype") else np.result_type(leaf)


def named(tree: Tree, name: str = "") -> dict[str, Any]:
    """Every leaf by its path, `name` in front."""
    return {name + keystr(path): leaf for path, leaf in tree_flatten_with_path(tree)[0]}


def precision(dtype: Dtype) -> Any:
    """The context in which arrays of this dtype exist: 64-bit types for float64 alone.

    It is a context, never the global flag; any other dtype runs in the caller's own setting.
    """
    wide = jnp.dtype(dtype) in (jnp.dtype("float64"), jnp.dtype("complex128"))
    return jax.enable_x64(True) if wide else contextlib.nullcontext()


def exact(tree: Tree) -> Any:
    """The inexact leaves as numpy float64, all others as they are."""
    return jax.tree.map(lambda a: np.asarray(a, np.float64) if is_inexact(a) else a, tree)


def cast(tree: Tree, dtype: Dtype, like: Tree) -> Any:
    """The inexact leaves in `dtype`, as numpy arrays where `like` has them, else as jax arrays.

    Always copies: whoever runs on the result may write into it.
    """

    def one(a: ArrayLike, original: ArrayLike) -> Any:
        if not is_inexact(a):
            return a.copy() if isinstance(a, np.ndarray) else a
        a = np.array(a, dtype)
        return a if isinstance(original, np.ndarray | np.generic) else jnp.asarray(a)

    return jax.tree.map(one, tree, like)


def rounded(tree: Tree, dtype: Dtype) -> Any:
    """float64 numbers that `dtype` holds exactly."""
    return jax.tree.map(
        lambda a: np.asarray(np.asarray(a, dtype), np.float64) if is_inexact(a) else a, tree
    )


def perturbed(tree: Tree, size: float, rng: np.random.Generator) -> Any:
    """Every inexact leaf plus normal noise of `size` times its root mean square, or `size` itself
    where the leaf is all zero: no bias stays 0, no scale stays 1."""

    def one(a: ArrayLike) -> Any:
        if not is_inexact(a) or not size:
            return a
        scale = norm(a) / max(a.size, 1) ** 0.5 or 1.0
        return a + size * scale * rng.standard_normal(np.shape(a), np.float32)

    return jax.tree.map(one, tree)


def jittered(tree: Tree, dtype: Dtype, rng: np.random.Generator) -> Any:
    """Every number moved by up to two units in its last place in `dtype`."""
    ulp = float(jnp.finfo(dtype).eps)

    def one(a: ArrayLike) -> Any:
        return a * (1 + ulp * rng.integers(-2, 3, np.shape(a), np.int8)) if is_inexact(a) else a

    return rounded(jax.tree.map(one, tree), dtype)


def norm(a: ArrayLike) -> float:
    """The Euclidean norm, scaled where the squares of its numbers would leave the range."""
    a = np.asarray(a, np.float64).ravel()
    direct = float(np.sqrt(a @ a))
    if 1e-140 < direct < 1e140 or not a.size:
        return direct
    top = float(np.abs(a).max())
    return top * float(np.linalg.norm(a / top)) if top and np.isfinite(top) else top
