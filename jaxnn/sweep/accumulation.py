"""A batch in micro-batches: the readings of all of it in the memory of a part."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import count, in_parts
from jaxnn.core.layer import Layer
from jaxnn.core.swept import Swept
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.walk import mixing_layers
from jaxnn.losses.loss import Loss
from jaxnn.readings import Reading, gradient
from jaxnn.readings.reading import Several, as_reading
from jaxnn.sweep.backpropagation import output_shape, prepare
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.turning import through, turns
from jaxnn.sweep.weighing import example_errors, example_weights, reduced


def accumulate(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    micro_batches: int,
    weights: ArrayLike = None,
    read: Any = gradient,
) -> tuple[Any, Any]:
    """`backprop` of the whole batch, from `micro_batches` equal parts of it, one after the other.

    The value and the readings are those of the full batch, with the weights c that the examples
    have in it. Each reading merges as it says: sums are added up, per-example answers put one
    after the other, variances merged by their means. Memory is that of one part, and of the
    answer. The parts are consecutive rows. A key is split, one for each part, so a network with
    random layers does not do what it would on the full batch.

    Arguments and errors as for `backprop`; ValueError besides for a number of parts that does not
    divide the batch, a network that mixes examples, and a reading that does not merge.
    """
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    check_parts(net, count(batch.x), micro_batches)
    return _accumulate(objective, params, batch, as_reading(read), k=micro_batches)


def check_parts(net: Layer, n: int, micro_batches: int) -> None:
    """Refuse a number of parts that does not divide n examples, and a network that mixes them."""
    if not isinstance(micro_batches, int) or micro_batches < 1 or n % micro_batches:
        raise ValueError(
            f"expected micro_batches to be a whole number that divides the {n} examples, got "
            f"{micro_batches!r}; fill up with examples of weight 0, or take other parts"
        )
    mixes = mixing_layers(net)
    if mixes:
        raise ValueError(
            f"expected a network in which an example does not depend on its micro-batch, got "
            f"{', '.join(mixes)}; take the full batch, or freeze the network first"
        )


@partial(jax.jit, static_argnames="k")
def _accumulate(*arguments: Any, k: int) -> tuple[Any, Any]:
    return sweep_parts(*arguments, k=k)[:2]


def sweep_parts(
    objective: Objective, params: Params, batch: Batch, read: Any, k: int
) -> tuple[Any, Any, Any]:
    """`accumulate` without its checks, to be called inside a jitted program, and the mean over the
    k parts of what the network observed of them."""
    (net, loss, _), (x, y, weights, key), read = objective, batch, as_reading(read)
    readings = read.readings if isinstance(read, Several) else (read,)
    outputs = output_shape(objective, params, x, key)
    c, own = example_weights(loss, y, weights, outputs.shape[:-1], outputs.dtype)
    rows = jnp.arange(count(x)), x, y, own, (c if jnp.ndim(c) else None)
    parts = in_parts(rows, k)
    keys = None if key is None else jax.random.split(key, k)

    def states(part: Tree, key: Key) -> tuple[Any, list[Any], Any]:
        """The value of a part, the state of each reading, and what the network observed."""
        rows, x, y, own, weights = part
        used = c if weights is None else weights
        some = Several(tuple(reading.part(rows) for reading in readings))
        if turns(net) and some.once():
            batch = Batch(x, y, key=key)
            values, state, observed = through(objective, params, batch, some, used, own)
            return reduced(loss, values, used), list(state), observed
        outputs, residuals = net.forward(params, x, key)
        values, deltas = example_errors(loss, outputs, y, own)
        swept = Swept(net, loss, params, y, outputs, residuals, values, deltas, used, own)
        return reduced(loss, values, used), list(some.pull(swept)), net.observe(residuals)

    value, found, observed = _merged(readings, states, (parts, keys), loss.reduction == "none")
    answers = tuple(found)
    return value, (answers if isinstance(read, Several) else answers[0]), observed


def _merged(readings: tuple[Reading, ...], states: Tree, parts: Tree, none: bool) -> Any:
    """(value, answers, mean observation) of all parts: sums are carried along a scan, the others
    are stacked."""
    stacked = [reading.concatenates for reading in readings]
    example = jax.eval_shape(lambda: states(*jax.tree.map(lambda leaf: leaf[0], parts)))
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), example)
    value, start = zeros[0], [None if s else z for s, z in zip(stacked, zeros[1], strict=True)]

    def step(sofar: Tree, part: Tree) -> tuple[Any, Any]:
        value, found, observed = states(*part)
        merged = [
            None if s else reading.merge(old, new)
            for reading, s, old, new in zip(readings, stacked, sofar[1], found, strict=True)
        ]
        kept = [new if s else None for s, new in zip(stacked, found, strict=True)]
        carry = None if none else sofar[0] + value, merged
        return carry, (value if none else None, kept, observed)

    carry, ys = jax.lax.scan(step, (None if none else value, start), parts)
    answers = [
        reading.join(many) if s else reading.answer(one)
        for reading, s, one, many in zip(readings, stacked, carry[1], ys[1], strict=True)
    ]
    observed = jax.tree.map(lambda each: each.mean(0), ys[2])
    return (ys[0].reshape(-1) if none else carry[0]), answers, observed
