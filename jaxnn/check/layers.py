"""The checks of layers, of networks, and of a whole backpropagation, with the layer at fault."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.options import read_options
from jaxnn.check.problem import Problem
from jaxnn.check.report.report import Report
from jaxnn.check.trial.verify import verify
from jaxnn.check.walk import at_fault, layer_problem, loss_at_fault, with_names
from jaxnn.core.layer import Layer, shape_like
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.walk import inner_layers
from jaxnn.losses.loss import Loss
from jaxnn.readings import gradient
from jaxnn.sweep.backpropagation import prepare, sweep
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import objective


def check_layer(
    layer: Layer, params: Params, x: Tree, *, key: Key = None, **options: Any
) -> Report:
    """Checks dx and dparams of a layer, or of a network, against its own forward pass.

    params of None are drawn; so is a key for a layer that wants one. If something is wrong, every
    layer is checked by itself with the input that reached it, from the last to the first, and
    the report's place and cause are those of the first one that is at fault.

    options: those of `jaxnn.check.options.Options`.
    """
    key = any_key() if key is None else key
    params = drawn(layer, x) if params is None else params
    chosen = with_names(read_options(options), layer, key)
    report = verify(layer_problem(layer, key), (params, x), chosen)
    if report.verdict != "wrong" or not inner_layers(layer):
        return report
    return at_fault(report, layer, params, x, key, read_options(options))


def check_backprop(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    *,
    key: Key = None,
    weights: ArrayLike = None,
    **options: Any,
) -> Report:
    """Checks the value and the gradients of `backprop` against `jax.grad` of the value.

    params of None are drawn. A fault is searched for in the loss and in each layer.

    options: those of `jaxnn.check.options.Options`.
    """
    key = any_key() if key is None else key
    params = drawn(net, x) if params is None else params
    x, y, weights, _ = prepare(Objective(net, loss), params, Batch(x, y, weights, key))
    args = (params, x, y) if weights is None else (params, x, y, weights)

    def value(params: Params, x: Tree, y: Tree, weights: ArrayLike = None) -> Any:
        # a loss of reduction "none" has the gradient of the sum of its values
        return objective(loss, net.forward(params, x, key)[0], y, weights)[0].sum()

    def manual(args: tuple[Tree, ...], dy: Tree) -> tuple[Any, ...]:
        params, x, y = args[:3]
        weights = args[3] if len(args) > 3 else None
        return (sweep(Objective(net, loss), params, Batch(x, y, weights, key), gradient)[1],)

    problem = Problem(
        title=repr(net),
        names=("params", "x", "y", "weights")[: len(args)],
        forward=value,
        backward=manual,
        reference=value,
        wrt=(0,),
        cotangent=False,
        call="check_backprop(net, loss, params, x, y",
    )
    report = verify(problem, args, read_options(options))
    if report.verdict != "wrong":
        return report
    return loss_at_fault(report, net, loss, args, key, read_options(options))


def any_key() -> Any:
    """A key for a layer that draws: of the kind whose generator compiles in no time."""
    return jax.random.key(0, impl="rbg")


def drawn(layer: Layer, x: Tree) -> Any:
    """Normal parameters for inputs like x: no scale is 1 and no bias 0, nothing is compiled."""
    shapes = jax.eval_shape(layer.init, jax.random.key(0), shape_like(x))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda a: jnp.asarray(rng.normal(size=a.shape), a.dtype), shapes)
