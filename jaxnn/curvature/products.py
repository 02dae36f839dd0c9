"""Products of the Hessian and of the Gauss-Newton matrix with a vector.

With z the outputs, J = dz/dparams and H_n the Hessian of l_n at its outputs, the Hessian of the
objective C = sum_n c_n l_n is

    H = G + sum_n c_n sum_k (dl_n/dz_k) d2z_nk/dparams2,   G = sum_n c_n J_n^T H_n J_n

G, the generalised Gauss-Newton matrix, leaves out how curved the network itself is. It has no
negative eigenvalues, and for a cross-entropy it is the Fisher matrix. Neither matrix is formed: v
is pushed through the network to the outputs, multiplied with H_n there, and pulled back, at about
the price of three gradients for H and two for G.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.factors import along_batch
from jaxnn.core.layer import Layer
from jaxnn.core.refusals import check_same_tree
from jaxnn.core.swept import Swept
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.walk import mixing_layers
from jaxnn.losses.loss import Loss
from jaxnn.readings.linear import gradient
from jaxnn.sweep.backpropagation import forward_sweep, prepare
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import reduced


def hvp(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    v: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
) -> tuple[Any, Any]:
    """(C, H v), v and H v with the structure of params: the derivative of the gradient along v.

    At kinks the second derivative is 0, as everywhere where the layer is straight. A penalty is not
    part of C: `l2` of strength s adds s v for weights. Arguments and errors as for `backprop`;
    ValueError for a v that does not fit params, TypeError for a layer without `push` or `bend`,
    naming it. Source: Pearlmutter 1994, section 4.
    """
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    return _hvp(objective, params, batch, _like(params, v))


def gnvp(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    v: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
) -> tuple[Any, Any]:
    """(C, G v), v and G v with the structure of params. Arguments and errors as for `hvp`, but
    layers need no `bend`. Source: Schraudolph 2002, section 3."""
    objective = Objective(net, loss)
    batch = prepare(objective, params, Batch(x, y, weights, key))
    return _gnvp(objective, params, batch, _like(params, v))


@jax.jit
def _hvp(objective: Objective, params: Params, batch: Batch, v: Params) -> tuple[Any, Any]:
    net, swept, tangents, rdeltas = _pushed(objective, params, batch, v)
    deltas, c = swept.deltas, swept.c
    if mixing_layers(net):
        deltas, rdeltas, c = along_batch(c, deltas), along_batch(c, rdeltas), 1.0
    _, _, hv = net.bend(params, swept.residuals, tangents, deltas, rdeltas, gradient.reader(c))
    return reduced(objective.loss, swept.values, swept.c), hv


@jax.jit
def _gnvp(objective: Objective, params: Params, batch: Batch, v: Params) -> tuple[Any, Any]:
    net, swept, _, rdeltas = _pushed(objective, params, batch, v)
    c = swept.c
    if mixing_layers(net):
        rdeltas, c = along_batch(c, rdeltas), 1.0
    gv = swept.back(rdeltas, gradient.reader(c))
    return reduced(objective.loss, swept.values, swept.c), gv


def _pushed(
    objective: Objective, params: Params, batch: Batch, v: Params
) -> tuple[Layer, Swept, Any, Any]:
    """(net, its forward sweep, tangents, how the deltas move) where the parameters move along v;
    without parameters nothing moves."""
    swept = forward_sweep(objective, params, batch)
    vz, tangents = objective.net.push(params, swept.residuals, v, None)
    rdeltas = swept.bent(jnp.zeros_like(swept.outputs) if vz is None else vz)
    return objective.net, swept, tangents, rdeltas


def _like(params: Params, v: Tree) -> Any:
    check_same_tree("v", v, "params", params)
    return jax.tree.map(lambda p, leaf: jnp.asarray(leaf, p.dtype), params, v)
