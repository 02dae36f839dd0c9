"""From training to inference: the same network rewritten, not a mode.

A few layers do one thing in training and another at inference: dropout, batch-norm. `freeze`
returns a network and parameters in which dropout is the identity and batch-norm a scale and a
shift, made of statistics that were observed in training. No layer has two formulas, and no
signature a flag.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import as_arrays, check_examples, count, in_parts, rows_of
from jaxnn.core.layer import Layer, two_rows
from jaxnn.core.refusals import is_concrete
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Key, Number, Params, Tree


class Statistics(NamedTuple):
    """Averages over `count` mini-batches of what the layers of a network observed."""

    count: Any
    average: Any


def freeze(net: Layer, params: Params, statistics: Statistics | None = None) -> tuple[Layer, Any]:
    """(network, params) for inference.

    `statistics` are `state.statistics` of a training, a running average, or those that
    `average_statistics` takes; a network without batch-norm needs none. Exact: with the statistics
    of a single mini-batch, the frozen network puts out on it what the training one does without
    dropout. Raises ValueError where a layer lacks statistics, naming it.
    """
    if statistics is not None and is_concrete(statistics.count) and not int(statistics.count):
        statistics = None
    return net.freeze(params, None if statistics is None else statistics.average)


def no_statistics(net: Layer, params: Params, x: Tree, key: Key) -> Statistics:
    """Zeros in the shape of what the network observes on inputs like x, over no mini-batch yet."""

    def observe(params: Params, x: Tree, key: Key) -> Any:
        return net.observe(net.forward(params, x, key)[1])

    found = jax.eval_shape(observe, params, two_rows(x), key)
    average = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, wide_dtype(leaf)), found)
    return Statistics(jnp.zeros((), jnp.int32), average)


def running(statistics: Statistics, observed: Tree, momentum: Number) -> Statistics:
    """average <- momentum * average + (1 - momentum) * observed, once enough batches were seen.

    The weight of what is observed is never less than 1/(batches seen). So the average of the first
    1/(1 - momentum) mini-batches, 100 of them at 0.99, is the plain one, and the zeros of
    `no_statistics` have no part in it. 1 is the plain average of all.
    """
    count = statistics.count + 1

    def mix(average: Tree, new: Tree) -> Any:
        least = 1 / count.astype(average.dtype)
        part = jnp.maximum(least, 1 - jnp.asarray(momentum, average.dtype))
        return average + part * (new.astype(average.dtype) - average)

    return Statistics(count, jax.tree.map(mix, statistics.average, observed))


def average_statistics(
    net: Layer, params: Params, x: Tree, key: Key = None, *, batch_size: int
) -> Statistics:
    """The plain average of the statistics over the mini-batches of x, at these parameters.

    Mini-batches are consecutive rows; those left over at the end, fewer than `batch_size`, do not
    take part. Raises ValueError if x has fewer rows than one mini-batch.
    """
    x = as_arrays(x)
    check_examples(x)
    if not 1 <= batch_size <= count(x):
        raise ValueError(
            f"average_statistics: expected a batch_size from 1 to {count(x)}, the rows of x, got "
            f"{batch_size}"
        )
    return _average(net, params, x, key, batch_size)


@partial(jax.jit, static_argnums=4)
def _average(net: Layer, params: Params, x: Tree, key: Key, batch_size: int) -> Statistics:
    full = count(x) // batch_size
    batches = in_parts(rows_of(x, slice(full * batch_size)), full)
    keys = None if key is None else jax.random.split(key, full)

    def step(statistics: Statistics, batch: Tree) -> tuple[Statistics, None]:
        rows, k = batch
        observed = net.observe(net.forward(params, rows, k)[1])
        return running(statistics, observed, 1.0), None

    return jax.lax.scan(step, no_statistics(net, params, x, key), (batches, keys))[0]
