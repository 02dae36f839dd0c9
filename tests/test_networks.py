"""The networks for images that have a name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.layers import lenet, resnet, resnet_block
from tests.compare import KEY


def counted(net, shape):
    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    params = jax.eval_shape(net.init, KEY, x)
    return nn.core.count_parameters(params), nn.summary(net, x).rows[-1].output


def test_lenet_has_the_parameters_it_is_known_by():
    assert counted(lenet(), (2, 28, 28, 1)) == (431_080, (2, 10))
    assert counted(lenet(7, (6, 16), 84), (2, 32, 32, 3))[1] == (2, 7)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (56, 0.85)])
def test_residual_networks_have_the_parameters_of_the_paper(depth, millions):
    """Table 6 of He et al., which pads shortcuts with zeros: ours has two projections more."""
    parameters, output = counted(resnet(depth), (2, 32, 32, 3))
    projections = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert round((parameters - projections) / 1e6, 2) == millions
    assert output == (2, 10)


def test_a_residual_block_without_weights_on_its_branch_is_the_identity_where_x_is_positive():
    x = jnp.abs(jnp.asarray(np.random.default_rng(0).normal(size=(2, 4, 4, 3)), jnp.float32))
    block = resnet_block(3)
    params = jax.tree.map(jnp.zeros_like, block.init(KEY, x))
    np.testing.assert_array_equal(block.forward(params, x)[0], x)


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match=r"6 n \+ 2, such as 20, 32 or 56, got 51"):
        resnet(51)
