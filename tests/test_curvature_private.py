"""Tangents of layers that mix, normalise or look through a window, by the contract as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.curvature.products import gnvp, hvp
from jaxnn.layers.normalising import bent, pushed
from jaxnn.sweep.weighing import objective
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LayerNorm
from tests.test_curvature import tangents, tangents_by_autodiff

# layers that only tests have; those of the library are in test_curvature.py
pytestmark = pytest.mark.slow


def over_features(x):
    return x.mean(-1, keepdims=True)


class MovingLayerNorm(LayerNorm):
    """LayerNorm with tangents."""

    def push(self, params, residuals, vparams, vx):
        xhat, s = residuals
        moved = pushed(xhat, s, vx, over_features)
        vy = vparams.scale * xhat + vparams.shift
        return (vy if vx is None else vy + params.scale * moved[0]), (moved, vparams.scale)

    def bend(self, params, residuals, tangents, dy, rdy, read):
        (xhat, s), (moved, vscale) = residuals, tangents
        d, rd = params.scale * dy, params.scale * rdy + vscale * dy
        dx, rdx = bent(xhat, s, moved, d, rd, over_features)
        parts = [nn.core.Scaled(xhat, rdy)]
        if moved[0] is not None:
            parts.append(nn.core.Scaled(moved[0], dy))
        return dx, rdx, nn.core.ScaleShift(read(nn.core.Tied(tuple(parts))), read(nn.core.Sum(rdy)))


LAYERS = [
    (MovingLayerNorm(), (2, 3, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda v: repr(v))
@pytest.mark.usefixtures("x64")
def test_push_and_bend_are_the_tangents_of_forward_and_backward(layer, shape):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape))
    params = draw(jax.eval_shape(layer.init, KEY, x), 1)
    dy = draw(jax.eval_shape(layer.forward, params, x)[0], 2)
    given = layer, params, x, dy, draw(params, 3), draw(x, 5), draw(dy, 4)
    assert_trees_close(tangents(*given), tangents_by_autodiff(*given))


@pytest.mark.usefixtures("x64")
def test_products_through_layers_that_mix_examples_weigh_them_at_the_loss():
    # no shift right before batch-norm: its gradient is exactly zero, which rounding makes noise
    front = nn.BatchNorm(), nn.tanh, nn.Dense(3), MovingLayerNorm(), nn.tanh
    net = nn.serial(*front, nn.layers.Rescale(), nn.Dense(2))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    y, w = jnp.asarray([0, 1, 1, 0, 1], jnp.int32), jnp.asarray([0.3, 2.0, 0.0, 1.0, 0.7])
    params = draw(jax.eval_shape(net.init, KEY, x), 1)
    v, loss = draw(params, 2), nn.softmax_cross_entropy

    @jax.jit
    def ours(params):
        given = net, loss, params, x, y, v
        return hvp(*given, weights=w), gnvp(*given, weights=w)

    @jax.jit
    def wanted(params):
        def outputs(params):
            return net.forward(params, x)[0]

        def value(z):
            return objective(loss, z, y, w)[0]

        total, hv = jax.jvp(jax.value_and_grad(lambda p: value(outputs(p))), (params,), (v,))
        z, vz = jax.jvp(outputs, (params,), (v,))
        rdeltas = jax.jvp(jax.grad(value), (z,), (vz,))[1]
        return (total[0], hv[1]), (total[0], jax.vjp(outputs, params)[1](rdeltas)[0])

    assert_trees_close(ours(params), wanted(params))
