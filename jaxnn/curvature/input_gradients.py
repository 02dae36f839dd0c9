"""Derivatives by the input: what an output, or the loss, answers to.

Every example has its own: z_n depends on x_n alone, so a network that mixes the examples of a batch
is refused. Integers have no derivative; give the network behind its embedding the rows instead. Of
inputs in a tuple every floating-point entry gets its own, with None where integers stand.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.inputs import (
    as_arrays,
    check_examples,
    check_outputs,
    count,
    described,
    entries,
)
from jaxnn.core.layer import Layer, output_like
from jaxnn.core.refusals import is_concrete
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.curvature.roots import check_unmixed, n_columns, unit
from jaxnn.losses.loss import Loss
from jaxnn.sweep.backpropagation import forward_sweep, prepare
from jaxnn.sweep.records import Batch, Objective


def input_gradient(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
) -> Any:
    """dl_n/dx_n for every example, shaped like x; what the loss reduces to does not matter.

    Nor do weights of examples, which are not in l_n; weights of positions (batch, ...) are.

    Arguments and errors as for `backprop`; ValueError for a network that mixes examples, TypeError
    for an x of integers alone.
    """
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    check_unmixed("input_gradient", net)
    _check_movable("input_gradient", batch.x)
    return _input_gradient(objective, params, batch)


def input_jacobian(net: Layer, params: Params, x: Tree, key: Key = None) -> Any:
    """dz_n/dx_n for every example, (batch, *output, *input), output and input being the axes
    behind the first. Errors as for `input_gradient`."""
    return _input_jacobian(net, params, _points("input_jacobian", net, x), key)


def saliency(net: Layer, params: Params, x: Tree, classes: ArrayLike, key: Key = None) -> Any:
    """|dz_nk/dx_n| for the class k = classes[n], shaped like x.

    Outputs z are (batch, n), best the logits: a softmax behind them mixes in the other classes.
    Errors as for `input_gradient`; ValueError for classes that are no integers (batch,) and outputs
    of another shape. Source: Simonyan, Vedaldi and Zisserman 2014, section 3.
    """
    x = _points("saliency", net, x)
    classes = _check_classes("saliency", net, params, x, classes, key)
    return jax.tree.map(jnp.abs, _class_gradient(net, params, x, classes, key))


def integrated_gradients(
    net: Layer,
    params: Params,
    x: Tree,
    classes: ArrayLike,
    key: Key = None,
    *,
    baseline: ArrayLike = None,
    steps: int = 32,
) -> Any:
    """(x_n - b_n) times the mean of dz_nk/dx_n over the straight path from b_n to x_n, like x.

    Complete: they add up to z_k(x_n) - z_k(b_n), k = classes[n]. The mean is a Gauss-Legendre sum
    of `steps` points: exact to rounding on a smooth stretch, of an error that falls as 1/steps
    where the path crosses kinks; compare the sum to see. `baseline` broadcasts to x, default 0; for
    several inputs it is a tuple. Integers stay as they are all along the path.
    Errors as for `saliency`; ValueError for steps below 1 and a baseline that does not fit.
    Source: Sundararajan, Taly and Yan 2017, section 3.
    """
    x = _points("integrated_gradients", net, x)
    classes = _check_classes("integrated_gradients", net, params, x, classes, key)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"expected steps to be a whole number >= 1, got {steps!r}")
    path = x, _baseline(x, baseline)
    return _integrated(net, params, path, classes, key, steps=steps)


def _points(name: str, net: Layer, x: Tree) -> Any:
    x = as_arrays(x)
    check_examples(x)
    check_unmixed(name, net)
    _check_movable(name, x)
    return x


def _moves(entry: Array) -> bool:
    return jnp.issubdtype(entry.dtype, jnp.floating)


def _check_movable(name: str, x: Tree) -> None:
    if not any(map(_moves, jax.tree.leaves(x))):
        raise TypeError(
            f"{name}: expected floating-point x, got {described(x)}, which has no derivative; take "
            "the network without its first layer, with that layer's output for x"
        )


def _baseline(x: Tree, baseline: ArrayLike) -> Any:
    """Where the path begins, shaped like x."""
    if isinstance(x, tuple):
        if baseline is not None and not (isinstance(baseline, tuple) and len(baseline) == len(x)):
            raise ValueError(
                f"expected a baseline for each of the {len(x)} entries of x, in a tuple, where "
                f"None is 0, got {baseline!r}"
            )
        return tuple(map(_baseline, x, entries(baseline, len(x))))
    if not _moves(x):
        return x
    b = jnp.zeros((), x.dtype) if baseline is None else jnp.asarray(baseline, x.dtype)
    padded = (1,) * (x.ndim - b.ndim) + b.shape
    if len(padded) != x.ndim or any(i not in (1, n) for i, n in zip(padded, x.shape, strict=True)):
        raise ValueError(f"expected a baseline that broadcasts to x {x.shape}, got {b.shape}")
    return jnp.broadcast_to(b, x.shape)


def _check_classes(
    name: str, net: Layer, params: Params, x: Tree, classes: ArrayLike, key: Key
) -> Any:
    given, classes = classes, jnp.asarray(classes)
    like = output_like(net, params, x, key)
    check_outputs(name, like)
    outputs = like.shape
    if len(outputs) != 2:
        raise ValueError(
            f"{name}: expected outputs (batch, n) to choose one of n from, got {outputs}; "
            "input_jacobian gives the derivatives of all"
        )
    if classes.shape != (count(x),) or not jnp.issubdtype(classes.dtype, jnp.integer):
        raise ValueError(
            f"{name}: expected integer classes ({count(x)},), one for each example, got "
            f"{classes.dtype} {classes.shape}"
        )
    n = outputs[-1]
    if is_concrete(given) and not (np.min(given) >= 0 and np.max(given) < n):
        raise ValueError(
            f"{name}: expected classes in [0, {n}), the outputs of the network, got values from "
            f"{np.min(given)} to {np.max(given)}"
        )
    return classes


@jax.jit
def _input_gradient(objective: Objective, params: Params, batch: Batch) -> Array:
    swept = forward_sweep(objective, params, batch)
    return objective.net.backward(params, swept.residuals, swept.deltas, _unread)[0]


@jax.jit
def _input_jacobian(net: Layer, params: Params, x: Tree, key: Key) -> Any:
    outputs, residuals = net.forward(params, x, key)
    check_outputs("input_jacobian", outputs)

    def row(v: Tree) -> Any:
        dy = jnp.broadcast_to(unit(v, outputs), outputs.shape)
        return net.backward(params, residuals, dy, _unread)[0]

    rows = jax.vmap(row, out_axes=1)(jnp.arange(n_columns(outputs)))
    return jax.tree.map(lambda found: found.reshape(*outputs.shape, *found.shape[2:]), rows)


@jax.jit
def _class_gradient(net: Layer, params: Params, x: Tree, classes: ArrayLike, key: Key) -> Any:
    outputs, residuals = net.forward(params, x, key)
    dy = jax.nn.one_hot(classes, outputs.shape[-1], dtype=outputs.dtype)
    return net.backward(params, residuals, dy, _unread)[0]


@partial(jax.jit, static_argnames="steps")
def _integrated(
    net: Layer, params: Params, path: Tree, classes: Array, key: Key, *, steps: int
) -> Array:
    x, baseline = path
    nodes, shares = np.polynomial.legendre.leggauss(steps)  # on [-1, 1], where shares sum to 2
    dtype = next(entry.dtype for entry in jax.tree.leaves(x) if _moves(entry))
    points = jnp.asarray(np.stack([(nodes + 1) / 2, shares / 2], axis=1), dtype)

    def of_moving(function: Callable[..., Array], *trees: Tree) -> Any:
        """The function of every entry that moves; None where x has integers."""
        return jax.tree.map(lambda a, *other: function(a, *other) if _moves(a) else None, x, *trees)

    def add(total: Any, point: Any) -> tuple[Any, None]:
        at, share = point
        on_path = jax.tree.map(lambda a, b: b + at * (a - b) if _moves(a) else a, x, baseline)
        found = _class_gradient(net, params, on_path, classes, key)
        return of_moving(lambda a, t, g: t + share * g, total, found), None

    total = jax.lax.scan(add, of_moving(jnp.zeros_like), points)[0]
    return of_moving(lambda a, b, t: (a - b) * t, baseline, total)


def _unread(factor: Any) -> None:
    del factor
