"""How losses of examples make an objective: C = sum_n c_n l_n."""

import math
from typing import Any

import jax.numpy as jnp

from jaxnn.core.factors import along_batch
from jaxnn.core.inputs import check_outputs
from jaxnn.core.swept import counted
from jaxnn.core.types import Array, ArrayLike, Dtype, Tree
from jaxnn.losses.loss import Loss


def objective(
    loss: Loss, outputs: Array, y: Tree, weights: ArrayLike = None
) -> tuple[Any, Any, Any]:
    """(C, deltas, c) with C = sum_n c_n l_n, deltas = dl_n/doutputs, c a number or (batch,).

    Weights of positions inside an example belong to l_n, and so to deltas.
    With reduction "none" C is the vector of all c_n l_n.
    """
    check_outputs(loss, outputs)
    c, own = example_weights(loss, y, weights, outputs.shape[:-1], outputs.dtype)
    values, deltas = example_errors(loss, outputs, y, own)
    return reduced(loss, values, c), deltas, c


def example_weights(
    loss: Loss, y: Tree, weights: ArrayLike, shape: Any, dtype: Dtype
) -> tuple[Any, Any]:
    """(c, own): the weights of the examples in the objective, and those of the positions inside
    them, None if they count alike. `shape` is that of the positions, (batch, ...).

    Weights given to positions, and those of the loss, belong to l_n, so they are in `own`. An
    example of which no position counts has c 0."""
    own = loss.weights(y, dtype)
    if own is None and weights is None:
        return (1 / math.prod(shape) if loss.reduction == "mean" else 1.0), None
    own, given = jnp.ones(shape, dtype) if own is None else own, jnp.ones(shape[0], dtype)
    if weights is not None and weights.ndim == 1:
        given = weights.astype(dtype)
    elif weights is not None:
        own = counted(weights.astype(dtype), own)
    inside = tuple(range(1, len(shape)))
    counts = given * own.sum(inside)
    c, own = (jnp.where((own != 0).any(inside), given, 0), own) if inside else (counts, None)
    if loss.reduction == "mean":
        total = counts.sum()
        c = c / jnp.where(total > 0, total, 1)  # nothing counts: C = 0
    return c, own


def example_errors(loss: Loss, outputs: Array, y: Tree, own: Array | None) -> tuple[Any, Any]:
    """(l_n, dl_n/doutputs), with `own` weights inside an example; l_n is summed over positions."""
    values, deltas = loss(outputs, y)
    if own is not None:
        values, deltas = counted(own, values), counted(own, deltas)
    return values.sum(tuple(range(1, values.ndim))), deltas


def reduced(loss: Loss, values: ArrayLike, c: ArrayLike) -> Any:
    """C = sum_n c_n l_n; with reduction "none" the vector of all c_n l_n."""
    return c * values if loss.reduction == "none" else (c * values).sum()


def weighed(deltas: Array, c: ArrayLike) -> tuple[Any, Any]:
    """Errors weighted relative to the mean weight, and that mean."""
    if not jnp.ndim(c):
        return deltas, c
    mean = c.mean()
    return along_batch(c / jnp.where(mean > 0, mean, 1), deltas), mean
