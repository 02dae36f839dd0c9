"""Scores of outputs: the loss and the means of metrics, of all at once or part by part."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import count, in_parts, rows_of
from jaxnn.core.reader import Reader
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, ArrayLike, Params, Tree
from jaxnn.core.values import Pytree, static
from jaxnn.losses.loss import Loss
from jaxnn.sweep.backpropagation import output_shape
from jaxnn.sweep.metrics import Metric
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import example_errors, example_weights, objective, reduced

Metrics = tuple[Metric | Callable[[Any, Any], Any], ...]


def in_batches(function: Callable[[Any], Any], x: Tree, batch_size: int) -> Any:
    """`function` of so many examples at a time, put end to end; 0 is all at once."""
    n = count(x)
    if not batch_size or batch_size >= n:
        return function(x)
    full = n // batch_size
    split = full * batch_size
    found = jax.lax.map(function, in_parts(rows_of(x, slice(split)), full))
    first = jax.tree.map(lambda leaf: leaf.reshape(split, *leaf.shape[2:]), found)
    if split == n:
        return first
    rest = function(rows_of(x, slice(split, None)))
    return jax.tree.map(lambda *both: jnp.concatenate(both), first, rest)


@partial(jax.jit, static_argnames="metrics")
def score(
    loss: Loss, outputs: Array, y: Tree, weights: ArrayLike, *, metrics: Metrics
) -> dict[str, Any]:
    """{"loss": ..., name of metric: ...} of outputs."""
    scores = {"loss": objective(loss, outputs, y, weights)[0]}
    for metric in metrics:
        values = _values(metric, outputs, y)
        w = _counts(loss, y, weights, values)
        scores[_name(metric)] = _finished(metric, jnp.where(w > 0, w * values, 0).sum(), w.sum())
    return scores


def by_position(objective: Objective, params: Params, batch: Batch, metrics: Metrics) -> bool:
    """Whether every metric scores position by position, so that parts of an example add up."""
    outputs = output_shape(objective, params, batch.x, batch.key)
    shapes = [jax.eval_shape(partial(_values, metric), outputs, batch.y) for metric in metrics]
    return all(found.shape == outputs.shape[:-1] for found in shapes)


_SILENT = Reader(lambda factor: None, linear=True)  # nothing is read, nothing goes back


class _Scoring(Pytree):
    """An aim that scores outputs, and sends nothing back: its values are sums over positions."""

    loss: Loss
    y: Tree
    own: Array | None
    weights: Array
    metrics: Metrics = static()

    def __call__(self, outputs: Array) -> tuple[dict[str, Any], Array]:
        inside = tuple(range(1, outputs.ndim - 1))
        sums = {"loss": example_errors(self.loss, outputs, self.y, self.own)[0]}
        for metric in self.metrics:
            values = _values(metric, outputs, self.y)
            w = _counts(self.loss, self.y, self.weights, values)
            counted = jnp.where(w > 0, w * values, 0)
            sums[_name(metric)] = counted.sum(inside), w.sum(inside)
        return sums, jnp.zeros_like(outputs)


@partial(jax.jit, static_argnames=("metrics", "batch_size"))
def score_in_parts(
    objective: Objective, params: Params, batch: Batch, *, metrics: Metrics, batch_size: int
) -> dict[str, Any]:
    """`score` of a network that goes through the loss part by part: no array holds all outputs."""
    (net, loss, _), (x, y, weights, key) = objective, batch
    positions, dtype = loss.positions(y), jnp.zeros(()).dtype
    c, own = example_weights(loss, y, weights, positions, dtype)
    w = jnp.ones(positions) if weights is None else _laid(weights, len(positions))
    w = jnp.broadcast_to(w, positions)

    def sums(part: Tree) -> dict[str, Any]:
        x, y, own, w = part
        aim = _Scoring(loss, y, own, w, metrics)
        return net.turn(params, x, aim, _SILENT, key)[0]

    found = in_batches(sums, (x, y, own, w), batch_size)
    scores = {"loss": reduced(loss, found["loss"], c)}
    for metric in metrics:
        total, weight = found[_name(metric)]
        scores[_name(metric)] = _finished(metric, total.sum(), weight.sum())
    return scores


def _values(metric: Any, outputs: Array, y: Tree) -> Array:
    values = metric.score(outputs, y) if isinstance(metric, Metric) else metric(outputs, y)
    return values.astype(wide_dtype(values))


def _name(metric: Any) -> str:
    return metric.name if isinstance(metric, Metric) else metric.__name__


def _finished(metric: Any, total: Array, weight: Array) -> Array:
    mean = total / weight
    return metric.finish(mean) if isinstance(metric, Metric) else mean


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
