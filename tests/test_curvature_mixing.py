"""Products with second derivatives through layers that mix the examples of a batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.curvature.products import gnvp, hvp
from jaxnn.sweep.weighing import objective
from tests.compare import KEY, assert_trees_close, draw


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
def test_products_through_layers_that_mix_examples_weigh_them_at_the_loss():
    # no shift right before batch-norm: its gradient is exactly zero, which rounding makes noise
    front = nn.BatchNorm(), nn.tanh, nn.Dense(3), nn.LayerNorm(), nn.tanh
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
