"""Backpropagation: the forward sweep, the loss, the backward sweep, and what is read from it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.checks import check_examples, is_concrete
from jaxnn.factors import along_batch
from jaxnn.layer import Layer, mixing_layers
from jaxnn.losses import Loss
from jaxnn.readings import gradient


def backprop(
    net: Layer,
    loss: Loss,
    params: Any,
    x: Any,
    y: Any,
    key: Any = None,
    *,
    weights: Any = None,
    read: Any = gradient,
) -> tuple[Any, Any]:
    """The value of the objective, and a reading of its every parameter.

        C = sum_n c_n l_n,    c_n = weights_n / sum_m weights_m for a loss with reduction "mean"

    x (batch, ...), y targets as the loss wants them, key for a network with random layers, weights
    (batch,) >= 0, one for each example. Returns `(value, readings)`: the readings have the
    structure of params, and with `read=gradient` they are dC/dparams. Weights that are all zero
    give the value 0 and gradients 0. An example with inner axes (a sequence) has the sum over
    its positions for l_n; a mean is over all positions then.

    Raises ValueError for an empty batch, x, y and weights of unequal length, and targets the loss
    refuses; TypeError and ValueError for an x or params the network refuses, naming the layer.
    """
    x, y, weights = prepare(net, loss, params, x, y, key, weights)
    return _backprop(net, loss, params, x, y, key, weights, read)[:2]


def sweep(
    net: Layer, loss: Loss, params: Any, x: Any, y: Any, key: Any, weights: Any, read: Any
) -> tuple[Any, Any, Any]:
    """`backprop` without its checks, to be called inside a jitted program, and what the network
    observed of the mini-batch."""
    outputs, residuals = net.forward(params, x, key)
    value, deltas, c = objective(loss, outputs, y, weights)
    if mixing_layers(net):  # dl_n/dz is then no longer an error of row n alone: weigh at the loss
        deltas, c = along_batch(c, deltas), 1.0
    _, readings = net.backward(params, residuals, deltas, lambda factor: read(factor, c))
    return value, readings, net.observe(residuals)


_backprop = jax.jit(sweep, static_argnames="read")


def objective(loss: Loss, outputs: Any, y: Any, weights: Any = None) -> tuple[Any, Any, Any]:
    """(C, deltas, c) with C = sum_n c_n l_n, deltas = dl_n/doutputs, c a number or (batch,).

    Weights that the loss gives to positions inside an example belong to l_n, and so to deltas.
    With reduction "none" C is the vector of all c_n l_n.
    """
    values, deltas = loss(outputs, y)
    inner = tuple(range(1, values.ndim))
    own = loss.weights(y, deltas.dtype)
    if own is None and weights is None:
        c = 1 / values.size if loss.reduction == "mean" else 1.0
        values = values.sum(inner)
    else:
        own = jnp.ones_like(values) if own is None else own
        given = jnp.ones_like(values, shape=len(values)) if weights is None else weights
        c = counts = given.astype(deltas.dtype) * own.sum(inner)
        if inner:
            c = given.astype(deltas.dtype)
            values, deltas = (values * own).sum(inner), deltas * own[..., None]
        if loss.reduction == "mean":
            total = counts.sum()
            c = c / jnp.where(total > 0, total, 1)  # nothing counts: C = 0
    return (c * values if loss.reduction == "none" else (c * values).sum()), deltas, c


def prepare(
    net: Layer, loss: Loss, params: Any, x: Any, y: Any, key: Any, weights: Any
) -> tuple[Any, Any, Any]:
    """x, y and weights as arrays, once they are known to fit together and the targets to mean
    something. What shapes alone can tell, the network and the loss find out for themselves."""
    given = y
    x, y = jnp.asarray(x), jnp.asarray(y)
    check_examples(x)
    if y.ndim < 1 or len(y) != len(x):
        raise ValueError(
            f"expected y with an entry for each of the {len(x)} examples of x, got shape {y.shape}"
        )
    if weights is not None:
        weights = _check_weights(weights, len(x))
    if is_concrete(given):
        loss.check_targets(np.asarray(given), _outputs(net, params, x, key).shape[-1])
    return x, y, weights


def _check_weights(weights: Any, n: int) -> Any:
    if is_concrete(weights) and not bool((np.isfinite(weights) & (np.asarray(weights) >= 0)).all()):
        raise ValueError(f"expected weights that are finite and >= 0, got {np.asarray(weights)}")
    weights = jnp.asarray(weights)
    if weights.shape != (n,):
        raise ValueError(
            f"expected weights of shape ({n},), one for each example, got {weights.shape}"
        )
    return weights


@jax.jit
def _apply(net: Layer, params: Any, x: Any, key: Any) -> Any:
    return net.forward(params, x, key)[0]


def _outputs(net: Layer, params: Any, x: Any, key: Any) -> Any:
    """Shape and dtype of the outputs; jit remembers those it has seen, so a step pays once."""
    return _apply.eval_shape(net, params, x, key)
