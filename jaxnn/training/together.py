"""Many models of one network, trained together in one program.

Models that differ in numbers only, such as seeds, learning rates, decays and penalties, do the same
arithmetic. Their states, optimizers and penalties are stacked: every leaf has the models along its
first axis. So is what comes back, and `unstack` takes it apart.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr

from jaxnn.core.inputs import count
from jaxnn.core.layer import Layer
from jaxnn.core.types import Array, ArrayLike, Key, Path, Tree
from jaxnn.fast.columns import by_columns
from jaxnn.fast.groups import group_size
from jaxnn.losses.loss import Loss
from jaxnn.optim.chaining import as_argument
from jaxnn.optim.transforms import Transformation
from jaxnn.sweep.backpropagation import prepare
from jaxnn.sweep.records import Batch, Objective
from jaxnn.training.arrangement import any_shape, first_dense
from jaxnn.training.options import Options, with_old_keywords
from jaxnn.training.state import State
from jaxnn.training.steps import check_order, train_epoch


def stack(items: Any) -> Any:
    """Several trees of one structure as one, with a new first axis (S,) on every leaf.

    Of states, optimizers, penalties or keys. Numbers become floats, as in
    `stack([SGD(0.1), SGD(0.3)])`, which is `SGD([0.1, 0.3])` with an array in it. Raises ValueError
    for no items, and for items of different structure or shapes: other layers, another kind of
    optimizer, a momentum here and none there.
    """
    items = list(items)
    if not items:
        raise ValueError("stack: expected one or more items, got none")
    for i, item in enumerate(items):
        ours, first = jax.tree.structure(item), jax.tree.structure(items[0])
        if ours != first:
            raise ValueError(
                f"stack: expected items that differ in numbers alone, got {first} at [0] and "
                f"{ours} at [{i}]; train those one after another"
            )
    return jax.tree_util.tree_map_with_path(_stacked, *items)


def _stacked(path: Path, *leaves: Any) -> Any:
    if all(isinstance(leaf, (int, float)) for leaf in leaves):
        return jnp.asarray(leaves, float)
    shapes = {jnp.shape(leaf) for leaf in leaves}
    if len(shapes) > 1:
        raise ValueError(
            f"stack: expected one shape for {keystr(path)} of all items, got "
            f"{', '.join(map(str, sorted(shapes)))}; train those one after another"
        )
    return jnp.stack([jnp.asarray(leaf) for leaf in leaves])


def unstack(tree: Tree) -> list[Any]:
    """The trees that were stacked, as in `[state_0, state_1, ...] = unstack(states)`."""
    leaves, structure = jax.tree.flatten(tree)
    return [structure.unflatten(leaf[i] for leaf in leaves) for i in range(_count(tree))]


@with_old_keywords
def train_epoch_together(
    net: Layer,
    loss: Loss,
    optimizers: Transformation,
    states: State,
    x: Tree,
    y: Tree,
    order: ArrayLike,
    keys: Key = None,
    *,
    batch_size: int,
    options: Options | None = None,
) -> tuple[State, Any]:
    """`train_epoch` of S models in one program: the new states and the mean objectives, (S,).

    `states`, `optimizers`, `keys` and the penalty in `options` are stacked, see `stack`; a plain
    number in an optimizer or a penalty is that of every model. `order` is (n,), the same
    mini-batches for all, which compares the models in pairs, or (S, n), for each model its own. x,
    y and weights are shared: models on data of their own have it one after the other in x and y,
    and take their rows in `order`. Every model becomes what `train_epoch` makes of it alone, up to
    rounding, and one that overflows leaves the others as they are. Afterwards

        scores = jax.vmap(lambda params: evaluate(net, loss, params, x, y))(states.params)

    and in the same way `freeze`. The old states are donated. Arguments and errors are otherwise
    those of `train_epoch`; ValueError besides for stacks of different lengths.

    On a CPU the models go in groups of 16, or fewer where their states take more than 768 kB, half
    of that with orders of their own: beyond that they and their gradients would push each other out
    of the caches. Where the first dense layer stands in series, a group multiplies a mini-batch
    that it shares by all its weights in one product, see `jaxnn.fast.columns`; elsewhere only
    models of a few kB go in groups, the others one by one. So do those with keys of the kind rbg.
    Other devices take all models at once. What it is worth:

        python -m experiments bench many_models
    """
    n_models = _count(states)
    if keys is not None and jnp.shape(keys)[:1] != (n_models,):
        raise ValueError(
            f"expected keys ({n_models},), one for each model, got shape {jnp.shape(keys)}; make "
            f"some with jax.random.split(key, {n_models})"
        )
    options, objective = Options() if options is None else options, Objective(net, loss)
    one, key = jax.tree.map(_like_one, (states.params, keys))
    data = prepare(objective, one, Batch(x, y, options.weights, key))
    order = _check_orders(order, count(data.x), n_models)
    optimizers = _of_each("optimizers", as_argument(optimizers), n_models)
    penalties = _of_each("penalties", options.penalty, n_models)
    shared = objective, data._replace(key=None), options.statistics_momentum, options.fresh
    models = optimizers, penalties, states, order, keys
    sizes = {"batch_size": batch_size, "micro_batches": options.micro_batches}
    return _train_together(shared, *models, **sizes)


@partial(jax.jit, static_argnames=("batch_size", "micro_batches"), donate_argnames="states")
def _train_together(
    shared: Any, optimizers: Any, penalties: Any, states: State, order: Any, keys: Key, **sizes: int
) -> tuple[State, Any]:
    (net, loss, _), (x, y, weights, _), momentum, fresh = shared
    path = first_dense(net) if any_shape(optimizers, penalties) else None
    share = 16 if path is None else 2 if order.ndim == 2 else 1  # a 16th: vmap copies weights
    group = group_size(states, keys, _count(states), share)

    def train(model: Any) -> tuple[State, Any]:
        optimizer, penalty, state, rows, key = model
        own, turn = net, lambda tree: tree
        if path is not None and group:
            own, turn = by_columns(net, path, state.params)
        given = x, y, order if rows is None else rows, key
        options = Options(weights, penalty, momentum, sizes["micro_batches"], fresh)
        training = own, loss, optimizer, turn(state)
        size = sizes["batch_size"]
        state, value = train_epoch(*training, *given, batch_size=size, options=options)
        return turn(state), value

    models = optimizers, penalties, states, None if order.ndim == 1 else order, keys
    return jax.lax.map(train, models, batch_size=group)


def _like_one(leaf: Array) -> Any:
    return jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype)


def _count(tree: Tree) -> int:
    """How many models the leaves of the tree have along their first axis."""
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(tree)}
    if len(lengths) != 1 or lengths == {()}:
        shapes = sorted({str(jnp.shape(leaf)) for leaf in jax.tree.leaves(tree)})
        raise ValueError(
            "expected a tree with the models along the first axis of every leaf, got shapes "
            f"{', '.join(shapes) or 'of no leaves'}; make one with jaxnn.stack"
        )
    return lengths.pop()[0]


def _of_each(name: str, tree: Tree, n_models: int) -> Any:
    """The tree with (n_models, ...) at every leaf, where a plain number is that of all."""

    def leaf_of_each(path: Path, leaf: Array) -> Any:
        if not jnp.ndim(leaf):
            return jnp.full(n_models, leaf, float)
        if len(leaf) != n_models:
            raise ValueError(
                f"{name}{keystr(path)}: expected a number, or {n_models} of them, one for each "
                f"model of the states, got shape {jnp.shape(leaf)}"
            )
        return jnp.asarray(leaf)

    return jax.tree_util.tree_map_with_path(leaf_of_each, tree)


def _check_orders(order: ArrayLike, n: int, n_models: int) -> Any:
    shape = np.shape(order)
    if len(shape) == 2 and shape[0] == n_models:
        return check_order(np.reshape(order, -1), n).reshape(shape)
    if len(shape) == 2:
        raise ValueError(
            f"expected order (n,), or ({n_models}, n) with a row for each model, got {shape}"
        )
    return check_order(order, n)
