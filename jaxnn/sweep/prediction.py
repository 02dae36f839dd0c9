"""What a network puts out, and how good it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from jaxnn.core.inputs import as_arrays, check_examples
from jaxnn.core.layer import Layer, check_network
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.losses.loss import Loss
from jaxnn.sweep.backpropagation import prepare
from jaxnn.sweep.metrics import Metric, check_metrics
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.scoring import by_position, in_batches, score, score_in_parts
from jaxnn.sweep.turning import turns


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
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    if turns(net) and by_position(objective, params, batch, metrics):
        return score_in_parts(objective, params, batch, metrics=metrics, batch_size=batch_size)
    outputs = _predict(net, params, batch.x, key, batch_size=batch_size)
    return score(loss, outputs, batch.y, batch.weights, metrics=metrics)


@partial(jax.jit, static_argnames="batch_size")
def _predict(net: Layer, params: Params, x: Tree, key: Key, *, batch_size: int) -> Any:
    def outputs(chunk: Any) -> Any:
        return net.forward(params, chunk, key)[0]

    return in_batches(outputs, x, batch_size)
