"""What a network puts out, and how good it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import as_arrays, check_examples, count, in_parts, rows_of
from jaxnn.core.layer import Layer, check_network
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.losses.loss import Loss
from jaxnn.sweep.backpropagation import prepare
from jaxnn.sweep.metrics import Metric, check_metrics
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import objective


def predict(net: Layer, params: Params, x: Tree, key: Key = None, *, batch_size: int = 0) -> Any:
    """The outputs of the network, (n, ...): logits, if the loss it was trained with takes those.

    With a `batch_size` the examples go through in chunks of that many, to bound the memory; 0 is
    all at once. Raises ValueError for an empty batch.
    """
    check_network(net)
    x = as_arrays(x)
    check_examples(x)
    return _predict(net, params, x, key, batch_size=batch_size)


def evaluate(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    metrics: tuple[Metric | Callable[[Any, Any], Any], ...] = (),
    batch_size: int = 0,
) -> dict[str, Any]:
    """{"loss": ..., name of metric: ...} over all examples, each by its weight.

    A metric is a module-level function of outputs and targets that returns a score for every
    example, (batch,), such as `accuracy`, or for every position in it, (batch, ...). Its mean is
    over all of them by their weights; those that the loss leaves out (`ignore_index`, a class of
    weight 0) do not count, and where nothing counts it is nan. A `Metric` such as `perplexity` has
    a function of that mean besides. The loss is reduced as it says. Arguments and errors as for
    `backprop`, `batch_size` as for `predict`.
    """
    check_metrics(metrics)
    batch = prepare(Objective(net, loss), params, Batch(x, y, weights, key))
    outputs = _predict(net, params, batch.x, key, batch_size=batch_size)
    return _score(loss, outputs, batch.y, batch.weights, metrics=metrics)


@partial(jax.jit, static_argnames="batch_size")
def _predict(net: Layer, params: Params, x: Tree, key: Key, *, batch_size: int) -> Any:
    def outputs(chunk: Any) -> Any:
        return net.forward(params, chunk, key)[0]

    n = count(x)
    if not batch_size or batch_size >= n:
        return outputs(x)
    full = n // batch_size
    split = full * batch_size
    found = jax.lax.map(outputs, in_parts(rows_of(x, slice(split)), full))
    first = jax.tree.map(lambda leaf: leaf.reshape(split, *leaf.shape[2:]), found)
    if split == n:
        return first
    rest = outputs(rows_of(x, slice(split, None)))
    return jax.tree.map(lambda *both: jnp.concatenate(both), first, rest)


@partial(jax.jit, static_argnames="metrics")
def _score(
    loss: Loss, outputs: Array, y: Tree, weights: ArrayLike, *, metrics: Any
) -> dict[str, Any]:
    scores = {"loss": objective(loss, outputs, y, weights)[0]}
    for metric in metrics:
        named = isinstance(metric, Metric)
        values = metric.score(outputs, y) if named else metric(outputs, y)
        values = values.astype(wide_dtype(values))
        w = _counts(loss, y, weights, values)
        mean = jnp.where(w > 0, w * values, 0).sum() / w.sum()
        scores[metric.name if named else metric.__name__] = metric.finish(mean) if named else mean
    return scores


def _counts(loss: Loss, y: Tree, weights: ArrayLike, values: Array) -> Array:
    """The weight of each value of a metric, shaped like them: that of its example or position, or 0
    where the loss leaves the position out. What is scored as one counts by the largest weight in
    it."""
    w = (jnp.ones(len(values)) if weights is None else weights).astype(values.dtype)
    own = loss.weights(y, values.dtype)
    if own is not None:
        w = jnp.where(own > 0, _laid(w, own.ndim), 0)
    w = w.reshape(*w.shape[: values.ndim], -1).max(-1)
    return jnp.broadcast_to(_laid(w, values.ndim), values.shape)


def _laid(w: Array, ndim: int) -> Array:
    """w laid along the first of so many axes."""
    return w.reshape(w.shape + (1,) * (ndim - w.ndim))
