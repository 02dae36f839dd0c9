"""What training changes, and how it starts."""

from typing import Any, NamedTuple

import jax

from jaxnn.core.layer import Layer, check_network, shape_like
from jaxnn.core.swept import Swept
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.walk import mixing_layers
from jaxnn.optim.asking import asked, asks_more, check_optimizer, started
from jaxnn.optim.transforms import Transformation
from jaxnn.sweep.mixing import check_mixing
from jaxnn.training.inference import Statistics, no_statistics


class State(NamedTuple):
    """What training changes: the parameters, what the optimizer keeps, and running statistics.

    `State(params, optimizer.init(params))` keeps no statistics, which only batch-norm needs.
    `carry` is what the network knows of sequences that come in parts, see `Options`; None before
    the first part.
    """

    params: Any
    optimizer: Any
    statistics: Statistics | None = None
    carry: Any = None


def start(net: Layer, optimizer: Transformation, key: Key, x: Tree) -> State:
    """The state before the first step: `net.init(key, x)`, that of the optimizer, no statistics.

    Of x only shape and dtype are used. Raises ValueError for an optimizer that reads what this
    network does not have, such as gradients of single examples where a layer mixes them.
    """
    check_network(net)
    check_optimizer(optimizer)
    params = net.init(key, x)
    found = _expected(net, optimizer, params, x, key) if asks_more(optimizer) else params
    kept = started(optimizer, params, found, key)
    return State(params, kept, no_statistics(net, params, x, key))


def _expected(net: Layer, optimizer: Transformation, params: Params, x: Tree, key: Key) -> Tree:
    """What the optimizer will read of a mini-batch like x, as shapes: nothing is computed."""
    reading = asked(optimizer, None)
    check_mixing(reading, mixing_layers(net), "error")

    def read(params: Params, x: Tree, key: Key) -> Tree:
        outputs, residuals = net.forward(params, x, key)
        like = Swept(net, None, params, None, outputs, residuals, outputs, outputs, 1.0, None)
        return reading.answer(reading.pull(like))

    return jax.eval_shape(read, params, shape_like(x), key)
