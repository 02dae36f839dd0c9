"""Softmax cross-entropy of a linear map, with its gradients, without all logits at once.

    z = x w + b,   l_n = log sum_k exp(z_nk) - z_(n, label n),   C = sum_n c_n l_n
    dz_nk = c_n (softmax(z_n)_k - [k = label n]),   dx = dz w^T,   dw = x^T dz,   db = sum_n dz_n

Plain functions of arrays, for programs with none of the networks of jaxnn. Value and gradients come
out of one call, since one pass through the logits gives both.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, ArrayLike


class LinearGradients(NamedTuple):
    """dC/dx, dC/dw and dC/db, shaped like x, w and b; db is None without b."""

    x: Any
    w: Any
    b: Any


def linear_cross_entropy(
    x: ArrayLike,
    w: ArrayLike,
    labels: ArrayLike,
    b: ArrayLike = None,
    *,
    weights: ArrayLike = None,
    rows: int = 0,
    columns: int = 0,
) -> tuple[Array, LinearGradients]:
    """(C, (dx, dw, db)), the logits formed a part at a time.

    x (*batch, n_in), w (n_in, n_classes), labels (*batch,) of integers, b (n_classes,) or None.
    weights (*batch,) >= 0 give c_n = weights_n / sum_m weights_m, by default 1/N; a label outside
    [0, n_classes) does not count. `rows` examples at a time, 0 for all, go through all classes:
    one product for the logits, two for the gradients. With `columns` classes at a time, logits are
    formed twice: first for the sum over classes, then for the errors; for so many classes that a
    few rows are too much. Both together bound a part to rows x columns. Sums are in float32 at
    least. Raises ValueError for shapes that do not fit, TypeError for labels that are no integers.
    """
    x, w, labels = jnp.asarray(x), jnp.asarray(w), jnp.asarray(labels)
    _check(x, w, labels, b, weights)
    flat, ids = x.reshape(-1, x.shape[-1]), labels.reshape(-1).astype(jnp.int32)
    dtype = wide_dtype(x)
    c = jnp.ones(ids.shape, dtype) if weights is None else jnp.asarray(weights, dtype).reshape(-1)
    c = jnp.where((ids >= 0) & (ids < w.shape[1]), c, 0)
    total = c.sum()
    c = c / jnp.where(total > 0, total, 1)
    b = b if b is None else jnp.asarray(b)
    value, grads = _summed(flat, w, b, ids, c, rows or len(flat), columns or w.shape[1])
    return value, grads._replace(x=grads.x.reshape(x.shape))


def _summed(
    x: Array, w: Array, b: Any, ids: Array, c: Array, rows: int, columns: int
) -> tuple[Array, LinearGradients]:
    """Over parts of the rows, filled up with rows that do not count."""
    n = len(x)
    rows = min(rows, n)
    missing = -n % rows
    filled = [jnp.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1)) for a in (x, ids, c)]
    parts = [a.reshape(-1, rows, *a.shape[1:]) for a in filled]
    one = _whole if columns >= w.shape[1] else partial(_in_blocks, columns=columns)

    def step(sofar: Any, part: Any) -> tuple[Any, Array]:
        value, dw, db = sofar
        found, (dx, new, bias) = one(w, b, *part)
        return (value + found, dw + new, None if b is None else db + bias), dx.astype(x.dtype)

    wide, bias = c.dtype, None if b is None else jnp.zeros(w.shape[1], c.dtype)
    zeros = jnp.zeros((), wide), jnp.zeros(w.shape, wide), bias
    (value, dw, db), dx = lax.scan(step, zeros, tuple(parts))
    db = None if b is None else db.astype(jnp.result_type(b))
    return value, LinearGradients(dx.reshape(-1, x.shape[1])[:n], dw.astype(w.dtype), db)


def _whole(w: Array, b: Any, x: Array, ids: Array, c: Array) -> tuple[Array, LinearGradients]:
    """Some rows at all classes."""
    z = _logits(x, w, b)
    top = z.max(-1, keepdims=True)
    e = jnp.exp(z - top)
    sums = e.sum(-1, keepdims=True)
    hit = jnp.arange(w.shape[1], dtype=jnp.int32) == ids[:, None]
    label = jnp.take_along_axis(z, ids[:, None], 1, mode="clip")[:, 0]
    value = (c * (top[:, 0] - label + jnp.log(sums[:, 0]))).sum()
    return value, _gradients(x, w, b, c[:, None] * (e / sums - hit.astype(c.dtype)))


def _in_blocks(
    w: Array, b: Any, x: Array, ids: Array, c: Array, *, columns: int
) -> tuple[Array, LinearGradients]:
    """Some rows, so many classes at a time: once for the sums, and once more for the errors."""
    block = partial(_block, w, b, x, ids, columns)
    turns = columns * jnp.arange(-(-w.shape[1] // columns), dtype=jnp.int32)

    def up(sofar: Any, turn: Array) -> tuple[Any, None]:
        top, sums, label = sofar
        *_, z, hit = block(turn)
        new = jnp.maximum(top, z.max(-1))
        sums = sums * jnp.exp(top - new) + jnp.exp(z - new[:, None]).sum(-1)
        return (new, sums, label + jnp.where(hit, z, 0).sum(-1)), None

    zero = jnp.zeros(len(x), c.dtype)
    (top, sums, label), _ = lax.scan(up, (zero - jnp.inf, zero, zero), turns)

    def down(sofar: LinearGradients, turn: Array) -> tuple[LinearGradients, None]:
        start, part, bias, z, hit = block(turn)
        p = jnp.exp(z - top[:, None]) / sums[:, None]
        errors = c[:, None] * (p - hit.astype(c.dtype))
        dx, dw, db = _gradients(x, part, bias, errors)
        db = None if db is None else _add_at(sofar.b, db, start)
        return LinearGradients(sofar.x + dx, _add_at(sofar.w, dw, start), db), None

    like = LinearGradients(x, w, b)
    start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, c.dtype), like)
    grads = lax.scan(down, start, turns)[0]
    return (c * (top - label + jnp.log(sums))).sum(), grads


def _block(
    w: Array, b: Any, x: Array, ids: Array, columns: int, turn: Array
) -> tuple[Array, Array, Any, Array, Array]:
    """(start, w, b, logits, which is the label) of the classes whose turn it is. The last block
    begins early enough to be whole; classes that had their turn do not count again."""
    start = jnp.minimum(turn, w.shape[1] - columns)
    part = lax.dynamic_slice_in_dim(w, start, columns, 1)
    bias = None if b is None else lax.dynamic_slice_in_dim(b, start, columns)
    k = start + jnp.arange(columns, dtype=jnp.int32)
    z = jnp.where(k >= turn, _logits(x, part, bias), -jnp.inf)
    return start, part, bias, z, (k == ids[:, None]) & (k >= turn)


def _add_at(whole: Array, part: Array, start: Array) -> Array:
    """`part` added along the last axis from `start` on."""
    old = lax.dynamic_slice_in_dim(whole, start, part.shape[-1], -1)
    return lax.dynamic_update_slice_in_dim(whole, old + part, start, -1)


def _logits(x: Array, w: Array, b: Any) -> Array:
    z = jnp.matmul(x, w, preferred_element_type=wide_dtype(x))
    return z if b is None else z + b.astype(z.dtype)


def _gradients(x: Array, w: Array, b: Any, dz: Array) -> LinearGradients:
    """Products in the dtype of x, sums in that of dz."""
    narrow, wide = dz.astype(x.dtype), dz.dtype
    dx = jnp.matmul(narrow, w.T, preferred_element_type=wide)
    dw = jnp.matmul(x.T, narrow, preferred_element_type=wide)
    return LinearGradients(dx, dw, None if b is None else dz.sum(0))


def _check(x: Array, w: Array, labels: Array, b: Any, weights: Any) -> None:
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"linear_cross_entropy: expected labels of integers, got {labels.dtype}")
    if x.ndim < 2 or w.ndim != 2 or x.shape[-1] != w.shape[0]:
        raise ValueError(
            "linear_cross_entropy: expected x (*batch, n_in) and w (n_in, n_classes), got "
            f"{x.shape} and {w.shape}"
        )
    positions, classes = x.shape[:-1], w.shape[1:]
    wanted = ("labels", labels, positions), ("b", b, classes), ("weights", weights, positions)
    for name, given, shape in wanted:
        if given is not None and jnp.shape(given) != shape:
            raise ValueError(
                f"linear_cross_entropy: expected {name} of shape {shape}, got {jnp.shape(given)}"
            )
