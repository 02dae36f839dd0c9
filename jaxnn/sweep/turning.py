"""Where a sweep turns round: networks that go through the loss part by part."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import check_outputs
from jaxnn.core.layer import Layer
from jaxnn.core.types import Array, ArrayLike, Dtype, Params, Tree
from jaxnn.core.values import Pytree
from jaxnn.core.walk import every_layer
from jaxnn.losses.loss import Loss
from jaxnn.readings.reading import Reading
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import example_errors, example_weights, reduced


class Turning(Pytree):
    """aim(outputs) -> (values, deltas), the l_n and dl_n/doutputs. y and `own`, the weights of
    positions, lie along the first axes of the outputs, and are cut as they are."""

    loss: Loss
    y: Tree
    own: Array | None

    def __call__(self, outputs: Array) -> tuple[Array, Array]:
        check_outputs(self.loss, outputs)
        positions = self.loss.positions(self.y)
        if positions != outputs.shape[:-1]:
            raise ValueError(
                f"{self.loss!r}: expected outputs {(*positions, 'n')} for y {self.y.shape}, got "
                f"{outputs.shape}; give the loss a `positions(y)` that says for which of them y is"
            )
        return example_errors(self.loss, outputs, self.y, self.own)


def turns(net: Layer) -> bool:
    """Whether a layer in it goes through the loss part by part."""
    return any(layer.turns for _, layer in every_layer(net))


def through(
    objective: Objective, params: Params, batch: Batch, reading: Reading, c: ArrayLike, own: Tree
) -> tuple[Tree, Tree, Any]:
    """(values, state of the reading, what was observed) of a network with layers that turn."""
    net, loss, _ = objective
    read = reading.counting(own).reader(c)
    aim = Turning(loss, batch.y, own)
    values, _, found, observed = net.turn(params, batch.x, aim, read, batch.key)
    return values, reading.finish(found, c), observed


def turned(
    objective: Objective, params: Params, batch: Batch, reading: Reading
) -> tuple[Any, Any, Any]:
    """`sweep` of a network with layers that turn: the weights are known from the targets alone."""
    loss, y, weights = objective.loss, batch.y, batch.weights
    c, own = example_weights(loss, y, weights, loss.positions(y), _dtype(params))
    values, state, observed = through(objective, params, batch, reading, c, own)
    return reduced(loss, values, c), reading.answer(state), observed


def _dtype(params: Params) -> Dtype:
    """That of the parameters, which is that of the outputs."""
    floating = (p.dtype for p in jax.tree.leaves(params) if jnp.issubdtype(p.dtype, jnp.floating))
    return next(floating, jnp.zeros(()).dtype)
