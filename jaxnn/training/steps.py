"""Training: one step, and one epoch as one program."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.layer import Layer
from jaxnn.core.refusals import is_concrete
from jaxnn.core.types import ArrayLike, Key, Tree
from jaxnn.losses.loss import Loss
from jaxnn.optim.transforms import Transformation, apply_updates, as_argument
from jaxnn.readings import gradient
from jaxnn.sweep.accumulation import check_parts, sweep_parts
from jaxnn.sweep.backpropagation import prepare, sweep
from jaxnn.training.arrangement import arranged
from jaxnn.training.inference import Statistics, no_statistics, running


class State(NamedTuple):
    """What training changes: the parameters, what the optimizer keeps, and running statistics.

    `State(params, optimizer.init(params))` keeps no statistics, which only batch-norm needs.
    """

    params: Any
    optimizer: Any
    statistics: Statistics | None = None


def start(net: Layer, optimizer: Transformation, key: Key, x: Tree) -> State:
    """The state before the first step: `net.init(key, x)`, `optimizer.init(params)`, no statistics.

    Of x only shape and dtype are used.
    """
    params = net.init(key, x)
    return State(params, optimizer.init(params), no_statistics(net, params, x, key))


def train_step(
    net: Layer,
    loss: Loss,
    optimizer: Transformation,
    state: State,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    penalty: Any = None,
    statistics_momentum: float = 0.99,
    micro_batches: int = 1,
) -> tuple[State, Any]:
    """One update from one mini-batch (an iteration): returns the new state and the objective.

    The objective, loss plus penalty, is that of the parameters before the update. What layers such
    as batch-norm observe goes into `state.statistics`, see `jaxnn.training.inference`. Arguments
    and errors as for `backprop`; ValueError for a loss with reduction "none" besides.

    With `micro_batches` the gradient is that of the whole mini-batch, gathered in that many equal
    parts one after the other, in the memory of one part: see `accumulate`, also for its errors.
    """
    _check_reduction(loss)
    x, y, weights = prepare(net, loss, state.params, x, y, key, weights)
    if micro_batches != 1:
        check_parts(net, len(x), micro_batches)
    plan = _Plan(net, loss, as_argument(optimizer), penalty, statistics_momentum)
    return _train_step(plan, state, x, y, key, weights, micro_batches=micro_batches)


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
    weights: ArrayLike = None,
    penalty: Any = None,
    statistics_momentum: float = 0.99,
    micro_batches: int = 1,
) -> tuple[State, Any]:
    """One pass over the rows `order` of x and y in mini-batches: the new state, mean objective.

    The whole pass is one program, a `lax.scan` over mini-batches, on data that should lie on the
    device already (`jnp.asarray` once, not once per epoch). `order` (n,) holds row numbers, drawn
    outside, such as `numpy.random.default_rng([seed, epoch]).permutation(n)`: drawing it inside
    would put a sort into the program. The last mini-batch may be smaller; it makes a step of its
    own, and counts in the mean by its size.

    `micro_batches` is that of `train_step`, and divides `batch_size`. A smaller last mini-batch is
    taken in parts of the same size, as few as it needs, the last of them filled up with examples of
    weight 0, which changes rounding and what random layers draw but nothing else.

    On a CPU the weight of a thin first layer is turned round for that time, see
    `jaxnn.fast.columns`; by no more than rounding an epoch differs from as many single steps.

    The old state is donated: its arrays are gone afterwards, so go on with the returned one.
    Raises as `train_step`, and ValueError for a batch size below 1 and rows that do not exist.
    """
    _check_reduction(loss)
    x, y, weights = prepare(net, loss, state.params, x, y, key, weights)
    order = check_order(order, len(x))
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"expected batch_size to be a whole number >= 1, got {batch_size!r}")
    if micro_batches != 1:
        check_parts(net, batch_size, micro_batches)
    plan = _Plan(net, loss, as_argument(optimizer), penalty, statistics_momentum)
    return _train_epoch(plan, state, x, y, order, key, weights, batch_size, micro_batches)


class _Plan(NamedTuple):
    """What does not change from step to step."""

    net: Layer
    loss: Loss
    optimizer: Any
    penalty: Any
    momentum: Any


def _step(
    plan: _Plan, state: State, x: Tree, y: Tree, key: Key, weights: ArrayLike, micro_batches: int
) -> tuple[State, Any]:
    params = state.params
    batch = plan.net, plan.loss, params, x, y, key, weights, gradient
    swept = sweep(*batch) if micro_batches == 1 else sweep_parts(*batch, micro_batches)
    value, grads, observed = swept
    if plan.penalty is not None:
        extra, dparams = plan.penalty(params)
        value = value + extra.astype(value.dtype)
        grads = jax.tree.map(jnp.add, grads, dparams)
    updates, kept = plan.optimizer.update(grads, state.optimizer, params)
    statistics = state.statistics and running(state.statistics, observed, plan.momentum)
    return State(apply_updates(params, updates), kept, statistics), value


_train_step = jax.jit(_step, static_argnames="micro_batches")


@partial(jax.jit, static_argnames=("batch_size", "micro_batches"), donate_argnames="state")
def _train_epoch(
    plan: _Plan,
    state: State,
    x: Tree,
    y: Tree,
    order: ArrayLike,
    key: Key,
    weights: ArrayLike,
    batch_size: int,
    micro_batches: int,
) -> tuple[State, Any]:
    def step(state: State, batch: Tree) -> tuple[State, Any]:
        rows, k = batch
        w = None if weights is None else weights[rows]
        return _step(plan, state, x[rows], y[rows], k, w, micro_batches)

    full, rest = divmod(len(order), batch_size)
    size = batch_size // micro_batches
    net, turn = arranged(plan.net, plan.optimizer, plan.penalty, state.params, size, full)
    plan, state = plan._replace(net=net), turn(state)
    keys = None if key is None else jax.random.split(key, full + 1)
    rows = order[: full * batch_size].reshape(full, batch_size)
    state, values = jax.lax.scan(step, state, (rows, None if keys is None else keys[:full]))
    total = values.sum() * batch_size
    if rest:
        last = order[full * batch_size :]
        rows, w, parts = _in_parts(last, weights, size)
        k = None if keys is None else keys[full]
        state, value = _step(plan, state, x[rows], y[rows], k, w, parts)
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
    return rows, jnp.where(jnp.arange(len(rows)) < n, w, 0), parts


def _check_reduction(loss: Loss) -> None:
    if loss.reduction == "none":
        raise ValueError(
            f"{loss!r}: expected reduction 'mean' or 'sum' to train on one number, got 'none'"
        )


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
