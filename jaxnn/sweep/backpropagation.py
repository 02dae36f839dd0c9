"""Backpropagation: the forward sweep, the loss, the backward sweep, and what is read from it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.inputs import as_array, as_arrays, check_examples, check_outputs, count
from jaxnn.core.layer import Layer, check_network
from jaxnn.core.refusals import is_concrete
from jaxnn.core.swept import Swept
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.walk import mixing_layers
from jaxnn.fast.seen import remember, seen
from jaxnn.losses.loss import Loss, check_loss
from jaxnn.readings import gradient
from jaxnn.readings.reading import as_reading
from jaxnn.sweep.mixing import Mixing, OneByOne, check_mixing, with_constant_statistics
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.turning import turned, turns
from jaxnn.sweep.weighing import example_errors, example_weights, reduced, weighed


def backprop(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    read: Any = gradient,
    mixing: Mixing = "error",
) -> tuple[Any, Any]:
    """The value of the objective, and a reading of its every parameter.

        C = sum_n c_n l_n,    c_n = weights_n / sum_m weights_m for a loss with reduction "mean"

    x (batch, ...), y targets as the loss wants them, key for a network with random layers, weights
    >= 0 as below. Returns `(value, readings)`: the readings have the structure of params, and with
    `read=gradient` they are dC/dparams. Several readings in a tuple cost one sweep and give a
    tuple, see `jaxnn.readings`. Weights that are all zero give the value 0 and gradients 0.

    An example with inner axes (a sequence) has the sum over its positions for l_n; a mean is over
    all positions then. Weights are (batch,), one for each example, or (batch, ...) like the
    positions, `loss.positions(y)`, such as a mask of what is no padding: then

        l_n = sum_t weights_nt l_nt,    c_n = 1 / sum_mt weights_mt for a loss with reduction "mean"

    and c_n = 0 for an example without any weight. Where the weight of a position is 0 its value
    and its error are 0, whatever the loss says there.

    Readings of single examples do not exist where a layer mixes them, such as batch-norm, and
    raise; `mixing` chooses what to take instead: "frozen", "attribution" or "exact", see
    `jaxnn.sweep.mixing`.

    Raises ValueError for an empty batch, x, y and weights of unequal length, targets the loss
    refuses, and readings that do not exist; TypeError and ValueError for an x or params the network
    refuses, naming the layer.
    """
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    return _backprop(objective, params, batch, as_reading(read), mixing=mixing)


@partial(jax.jit, static_argnames="mixing")
def _backprop(*arguments: Any, mixing: Mixing) -> tuple[Any, Any]:
    return sweep(*arguments, mixing=mixing)[:2]


def sweep(
    objective: Objective, params: Params, batch: Batch, read: Any, mixing: Mixing = "error"
) -> tuple[Any, Any, Any]:
    """`backprop` without its checks, to be called inside a jitted program, and what the network
    observed of the mini-batch. A penalty is not part of it."""
    reading, mixes = as_reading(read), mixing_layers(objective.net)
    check_mixing(reading, mixes, mixing)
    if mixes and mixing == "frozen":
        objective, mixes = objective._replace(net=with_constant_statistics(objective.net)), []
    if not mixes and reading.once() and turns(objective.net):
        return turned(objective, params, batch, reading)
    swept = forward_sweep(objective, params, batch)
    value = reduced(objective.loss, swept.values, swept.c)
    if mixes and mixing == "exact":
        swept = OneByOne(*swept)
    elif mixes:  # an error is then no longer that of one row alone: weigh at the loss
        deltas, c = weighed(swept.deltas, swept.c)
        swept = swept._replace(deltas=deltas, c=c)
    return value, reading.answer(reading.pull(swept)), objective.net.observe(swept.residuals)


def forward_sweep(objective: Objective, params: Params, batch: Batch) -> Swept:
    """The forward sweep and the loss."""
    net, loss, _ = objective
    outputs, residuals = net.forward(params, batch.x, batch.key)
    check_outputs(loss, outputs)
    c, own = example_weights(loss, batch.y, batch.weights, outputs.shape[:-1], outputs.dtype)
    values, deltas = example_errors(loss, outputs, batch.y, own)
    return Swept(net, loss, params, batch.y, outputs, residuals, values, deltas, c, own)


def prepare(objective: Objective, params: Params, batch: Batch) -> Batch:
    """The mini-batch in arrays, once they are known to fit together and the targets to mean
    something. What shapes alone can tell, the network and the loss find out for themselves."""
    check_network(objective.net)
    check_loss(objective.loss)
    given, weights = batch.y, batch.weights
    x, y = as_arrays(batch.x), as_array(given)
    check_examples(x)
    n = count(x)
    if y.ndim < 1 or len(y) != n:
        raise ValueError(
            f"expected y with an entry for each of the {n} examples of x, got shape {y.shape}"
        )
    if weights is not None:
        weights = _check_weights(weights, n, objective.loss.positions(y))
    if is_concrete(given):
        _check_targets(objective, params, batch._replace(x=x))
    return Batch(x, y, weights, batch.key)


def _check_targets(objective: Objective, params: Params, batch: Batch) -> None:
    """Look at the values of y, unless that was done before."""
    (net, loss, _), (x, y, _, key) = objective, batch
    purpose = net, loss, jax.tree.map(jnp.shape, x)
    if not seen(y, purpose):
        outputs = output_shape(objective, params, x, key)
        loss.check_targets(np.asarray(y), outputs.shape[-1])
        remember(y, purpose)


def _check_weights(weights: ArrayLike, n: int, positions: tuple[int, ...]) -> Any:
    if is_concrete(weights) and not bool((np.isfinite(weights) & (np.asarray(weights) >= 0)).all()):
        raise ValueError(f"expected weights that are finite and >= 0, got {np.asarray(weights)}")
    weights = jnp.asarray(weights)
    if weights.shape not in ((n,), positions):
        inside = f", or {positions}, one for each position" if len(positions) > 1 else ""
        hint = "; drop the last axis, weights[..., 0]" if weights.shape[-1:] == (1,) else ""
        raise ValueError(
            f"expected weights of shape ({n},), one for each example{inside}, got "
            f"{weights.shape}{hint or '; a weight of 0 leaves out what it stands for'}"
        )
    return weights


@jax.jit
def _apply(net: Layer, params: Params, x: Tree, key: Key) -> Any:
    return net.forward(params, x, key)[0]


def output_shape(objective: Objective, params: Params, x: Tree, key: Key) -> Any:
    """Shape and dtype of the outputs; jit remembers those it has seen, so a step pays once."""
    outputs = _apply.eval_shape(objective.net, params, x, key)
    check_outputs(objective.loss, outputs)
    return outputs
