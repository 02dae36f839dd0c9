"""Training: one step, and one epoch as one program."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.inputs import count, rows_of
from jaxnn.core.layer import Layer
from jaxnn.core.refusals import is_concrete
from jaxnn.core.trees import all_finite
from jaxnn.core.types import ArrayLike, Key, Tree
from jaxnn.losses.loss import Loss, check_loss
from jaxnn.losses.penalties import check_penalty
from jaxnn.optim.asking import asked, check_optimizer, loss_scale, with_penalty
from jaxnn.optim.chaining import as_argument
from jaxnn.optim.transforms import Transformation, apply_updates
from jaxnn.sweep.accumulation import check_parts, sweep_parts
from jaxnn.sweep.backpropagation import prepare, sweep
from jaxnn.sweep.records import Batch, Objective
from jaxnn.training.arrangement import arranged
from jaxnn.training.carrying import Carried, carried_on, check_fresh, check_rows
from jaxnn.training.inference import running
from jaxnn.training.options import Options, with_old_keywords
from jaxnn.training.scaling import ErrorsScaled, Scaled
from jaxnn.training.state import State


@with_old_keywords
def train_step(
    net: Layer,
    loss: Loss,
    optimizer: Transformation,
    state: State,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    options: Options | None = None,
) -> tuple[State, Any]:
    """One update from one mini-batch (an iteration): returns the new state and the objective.

    The objective, loss plus penalty, is that of the parameters before the update. The optimizer
    gets what it reads, by default the gradient, see `jaxnn.optim.asking`. What layers such as
    batch-norm observe goes into `state.statistics`, see `jaxnn.training.inference`.

    `options` has weights of the examples, a penalty, and what else is rarely set, see `Options`.
    With `micro_batches` what is read is of the whole mini-batch, gathered in that many equal parts
    one after the other: see `accumulate`, also for its errors. Arguments and errors as for
    `backprop`; ValueError for a loss with reduction "none" besides.
    """
    plan, options = _plan(net, loss, optimizer, options)
    batch = prepare(plan.objective, state.params, Batch(x, y, options.weights, key))
    if options.micro_batches != 1:
        check_parts(net, count(batch.x), options.micro_batches)
    fresh = check_fresh(options.fresh, count(batch.x), options.micro_batches)
    return _train_step(plan, state, batch, fresh, micro_batches=options.micro_batches)


@with_old_keywords
def train_epoch(
    net: Layer,
    loss: Loss,
    optimizer: Transformation,
    state: State,
    x: Tree,
    y: Tree,
    order: ArrayLike,
    key: Key = None,
    *,
    batch_size: int,
    options: Options | None = None,
) -> tuple[State, Any]:
    """One pass over the rows `order` of x and y in mini-batches: the new state, mean objective.

    The whole pass is one program, a `lax.scan` over mini-batches, on data that should lie on the
    device already (`jnp.asarray` once, not once per epoch). `order` (n,) holds row numbers, drawn
    outside, such as `numpy.random.default_rng([seed, epoch]).permutation(n)`: drawing it inside
    would put a sort into the program. The last mini-batch may be smaller; it makes a step of its
    own, and counts in the mean by its size.

    `options` as for `train_step`; `micro_batches` divides `batch_size`. A smaller last mini-batch
    is taken in parts of the same size, as few as it needs, the last of them filled up with examples
    of weight 0, which changes rounding and what random layers draw but nothing else.

    On a CPU the weight of a thin first layer is turned round for that time, see
    `jaxnn.fast.columns`; by no more than rounding an epoch differs from as many single steps.

    The old state is donated: its arrays are gone afterwards, so go on with the returned one.
    Raises as `train_step`, and ValueError for a batch size below 1 and rows that do not exist.
    """
    plan, options = _plan(net, loss, optimizer, options)
    batch = prepare(plan.objective, state.params, Batch(x, y, options.weights, key))
    order = check_order(order, count(batch.x))
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"expected batch_size to be a whole number >= 1, got {batch_size!r}")
    if options.micro_batches != 1:
        check_parts(net, batch_size, options.micro_batches)
    fresh = check_fresh(options.fresh, count(batch.x), options.micro_batches)
    if fresh is not None:
        check_rows(len(order), batch_size)
    sizes = {"batch_size": batch_size, "micro_batches": options.micro_batches}
    return _train_epoch(plan, state, batch, fresh, order, **sizes)


class Plan(NamedTuple):
    """What does not change from step to step."""

    objective: Objective
    optimizer: Any
    momentum: Any


def _plan(
    net: Layer, loss: Loss, optimizer: Transformation, options: Options | None
) -> tuple[Plan, Options]:
    options = Options() if options is None else options
    check_loss(loss)
    check_optimizer(optimizer)
    check_penalty(options.penalty)
    if loss.reduction == "none":
        raise ValueError(
            f"{loss!r}: expected reduction 'mean' or 'sum' to train on one number, got 'none'"
        )
    objective = Objective(net, loss, options.penalty)
    return Plan(objective, as_argument(optimizer), options.statistics_momentum), options


def found_by(
    plan: Plan, state: State, batch: Batch, micro_batches: int = 1
) -> tuple[Any, Any, Any]:
    """(objective, what the optimizer reads, what the network observed) of a mini-batch, the penalty
    in the first two."""
    (net, loss, penalty), params = plan.objective, state.params
    reading, scale = (
        asked(plan.optimizer, state.optimizer),
        loss_scale(plan.optimizer, state.optimizer),
    )
    if scale is not None:
        net, params = ErrorsScaled(net), Scaled(params, scale)
    given = Objective(net, loss), params, batch, reading
    value, found, observed = (
        sweep(*given) if micro_batches == 1 else sweep_parts(*given, k=micro_batches)
    )
    if penalty is not None:
        extra, dparams = penalty(state.params)
        value = value + extra.astype(value.dtype)
        found = with_penalty(reading, found, dparams)
    return value, found, observed


def _step(
    plan: Plan, state: State, batch: Batch, fresh: Any, micro_batches: int
) -> tuple[State, Any]:
    params, before = state.params, state.carry
    if fresh is None:
        value, found, observed = found_by(plan, state, batch, micro_batches)
        carry = before
    else:
        objective = plan.objective
        before = carried_on(objective.net, params, before, batch.x, fresh)
        resumed = plan._replace(objective=objective._replace(net=Carried(objective.net)))
        batch = batch._replace(x=(batch.x, before))
        value, found, (observed, carry) = found_by(resumed, state, batch)
    updates, kept = plan.optimizer.update(found, state.optimizer, params)
    statistics = state.statistics and running(state.statistics, observed, plan.momentum)
    if loss_scale(plan.optimizer, kept) is not None:  # a forward sweep may overflow as well
        taken = partial(jnp.where, all_finite((observed, carry)))
        statistics = jax.tree.map(taken, statistics, state.statistics)
        carry = jax.tree.map(taken, carry, before)
    return State(apply_updates(params, updates), kept, statistics, carry), value


_train_step = jax.jit(_step, static_argnames="micro_batches")


@partial(jax.jit, static_argnames=("batch_size", "micro_batches"), donate_argnames="state")
def _train_epoch(
    plan: Plan,
    state: State,
    data: Batch,
    fresh: Any,
    order: Any,
    *,
    batch_size: int,
    micro_batches: int,
) -> tuple[State, Any]:
    def some(rows: Any, key: Any, weights: Any) -> Batch:
        return Batch(rows_of(data.x, rows), data.y[rows], weights, key)

    def step(state: State, part: Any) -> tuple[State, Any]:
        rows, k = part
        w = None if data.weights is None else data.weights[rows]
        starts = None if fresh is None else fresh[rows]
        return _step(plan, state, some(rows, k, w), starts, micro_batches)

    full, rest = divmod(len(order), batch_size)
    size = batch_size // micro_batches
    plan, turn = arranged(plan, state.params, size, full)
    state = turn(state)
    if fresh is not None and state.carry is None:
        x = rows_of(data.x, order[:batch_size])
        state = state._replace(carry=carried_on(plan.objective.net, state.params, None, x, fresh))
    keys = None if data.key is None else jax.random.split(data.key, full + 1)
    rows = order[: full * batch_size].reshape(full, batch_size)
    state, values = jax.lax.scan(step, state, (rows, None if keys is None else keys[:full]))
    total = values.sum() * batch_size
    if rest:
        rows, w, parts = _in_parts(order[full * batch_size :], data.weights, size)
        k = None if keys is None else keys[full]
        state, value = _step(plan, state, some(rows, k, w), None, parts)
        total = total + value * rest
    return turn(state), total / len(order)


def _in_parts(rows: Tree, weights: ArrayLike, size: int) -> tuple[Any, Any, int]:
    """(rows, their weights, number of parts of that size): several parts are made whole with the
    first row, at weight 0."""
    n, parts = len(rows), -(-len(rows) // size)
    if parts == 1 or n == parts * size:
        return rows, None if weights is None else weights[rows], parts
    rows = jnp.concatenate([rows, jnp.full(parts * size - n, rows[0])])
    w = jnp.ones(len(rows)) if weights is None else weights[rows]
    return rows, w.at[n:].set(0), parts


def check_order(order: ArrayLike, n: int) -> Any:
    """The rows as an array, of NumPy unless they are one of JAX: a program takes either, and has
    less to do with the former. Raises ValueError unless they are row numbers (n,) in [0, n)."""
    order = order if isinstance(order, jax.Array) else np.asarray(order)
    if order.ndim != 1 or not order.size or not jnp.issubdtype(order.dtype, jnp.integer):
        raise ValueError(f"expected order (n,) of row numbers, got {order.dtype} {order.shape}")
    if is_concrete(order):
        rows = np.asarray(order)
        if rows.min() < 0 or rows.max() >= n:
            raise ValueError(f"expected row numbers in [0, {n}) in order, got some outside")
    return order
