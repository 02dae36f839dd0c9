"""Derivatives by the input, against autodiff and against what they must add up to."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.core.walk import inner_layers, mixing_layers
from jaxnn.curvature.input_gradients import (
    input_gradient,
    input_jacobian,
    integrated_gradients,
    saliency,
)
from jaxnn.sweep.weighing import objective
from tests.cases import CASES, over
from tests.compare import KEY, assert_trees_close, draw, setting

pytestmark = pytest.mark.usefixtures("x64")
COMBINED = [  # of single layers the derivative by x is a law of the contract
    c for c in CASES if inner_layers(c.layer) and not c.ids and not mixing_layers(c.layer)
]
NET = nn.serial(nn.Dense(5), nn.tanh, nn.Dense(3))


def example(net=NET, shape=(4, 2)):
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape))
    return net, draw(jax.eval_shape(net.init, KEY, x), 1), x


def of_floats(function, x, tree):
    """The function of what stands in a tree where x has floats, None where x has integers."""

    def one(a, d):
        return function(d) if jnp.issubdtype(a.dtype, jnp.floating) else None

    return jax.tree.map(one, x, tree)


@over(COMBINED)
def test_the_jacobian_and_the_gradient_agree_with_autodiff(case):
    layer, x = case.layer, case.x()
    params, y = setting(layer, x)
    given = layer, nn.half_square, params, x, y

    @jax.jit
    def ours(params, x):
        return input_jacobian(layer, params, x, KEY), input_gradient(*given, KEY)

    @jax.jit
    def wanted(params, x):
        def outputs(x):
            return layer.forward(params, x, KEY)[0]

        def own(full):  # (batch, *output, batch, *input)
            full = jnp.moveaxis(full, y.ndim, 1)
            return jax.vmap(lambda row, n: row[n])(full, jnp.arange(len(y)))

        full = jax.jacrev(outputs, allow_int=True)(x)
        dx = jax.grad(lambda x: nn.half_square(outputs(x), y)[0].sum(), allow_int=True)(x)
        return of_floats(own, x, full), of_floats(jnp.asarray, x, dx)

    assert_trees_close(ours(params, x), wanted(params, x))


def test_the_input_gradient_is_each_examples_own_whatever_the_reduction():
    net, params, x = example(shape=(2, 3, 2))
    y = jnp.asarray([[0, 1, 2], [2, 1, 0]], jnp.int32)
    loss = nn.softmax_cross_entropy.replace(class_weights=(0.5, 2.0, 1.0))
    found = input_gradient(net, loss, params, x, y)
    same = input_gradient(net, loss.replace(reduction="sum"), params, x, y)
    assert_trees_close(found, same, rtol=0)

    def total(x):
        return objective(loss.replace(reduction="sum"), net.forward(params, x)[0], y)[0]

    assert_trees_close(found, jax.grad(total)(x))


def test_saliency_is_the_size_of_one_row_of_the_jacobian():
    net, params, x = example()
    rows = input_jacobian(net, params, x)
    found = saliency(net, params, x, [0, 2, 1, 2])
    assert_trees_close(found, jnp.abs(rows[jnp.arange(4), jnp.asarray([0, 2, 1, 2])]), rtol=1e-12)


@pytest.mark.parametrize("baseline", [None, 0.3, [[0.1, -0.2]]], ids=str)
def test_integrated_gradients_are_complete(baseline):
    net, params, x = example()
    classes = jnp.asarray([0, 2, 1, 2])
    found = integrated_gradients(net, params, x, classes, baseline=baseline)
    start = jnp.broadcast_to(jnp.asarray(0.0 if baseline is None else baseline), x.shape)
    ends = [net.forward(params, at)[0][jnp.arange(4), classes] for at in (x, start)]
    np.testing.assert_allclose(found.sum(1), ends[0] - ends[1], rtol=1e-9)


def test_more_steps_come_closer_where_the_path_crosses_kinks():
    net, params, x = example(nn.serial(nn.Dense(8), nn.relu, nn.Dense(3)), (6, 2))
    classes = jnp.zeros(6, jnp.int32)
    ends = [net.forward(params, at)[0][:, 0] for at in (x, 0 * x)]

    def off(steps):
        found = integrated_gradients(net, params, x, classes, steps=steps)
        return float(abs(found.sum(1) - ends[0] + ends[1]).max())

    assert off(256) < off(8) / 8


def test_a_linear_network_needs_one_step_and_leaves_what_it_ignores_at_zero():
    net = nn.serial(nn.Dense(3))
    _, params, x = example(net)
    params = (params[0]._replace(w=params[0].w.at[1].set(0)),)
    found = integrated_gradients(net, params, x, jnp.asarray([0, 1, 2, 0]), steps=1)
    np.testing.assert_array_equal(found[:, 1], 0)
    wanted = x[:, 0] * params[0].w[0, jnp.asarray([0, 1, 2, 0])]
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-12)


def test_what_has_no_derivative_of_its_own_is_refused():
    net = nn.serial(nn.Embedding(3, 2), nn.Flatten(), nn.Dense(2))
    ids, y = jnp.zeros((4, 2), jnp.int32), jnp.zeros((4, 2))
    params = draw(jax.eval_shape(net.init, KEY, ids), 0)
    with pytest.raises(TypeError, match="input_jacobian: expected floating-point x, got int32"):
        input_jacobian(net, params, ids)
    with pytest.raises(TypeError, match=r"input_gradient: expected floating-point x.*first layer"):
        input_gradient(net, nn.half_square, params, ids, y)
    mixing = nn.serial(nn.Dense(2), nn.BatchNorm())
    params = draw(jax.eval_shape(mixing.init, KEY, y), 0)
    with pytest.raises(ValueError, match=r"saliency: .*got \[1\] BatchNorm\(\); freeze"):
        saliency(mixing, params, y, [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [0, 1, 2]}, r"expected integer classes \(4,\)"),
        ({"classes": [0.0, 1.0, 2.0, 0.0]}, r"expected integer classes \(4,\)"),
        ({"classes": [0, 1, 2, 3]}, r"classes in \[0, 3\), .*from 0 to 3"),
        ({"steps": 0}, "steps to be a whole number >= 1"),
        ({"baseline": np.zeros(3)}, r"baseline that broadcasts to x \(4, 2\)"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(changes, message):
    net, params, x = example()
    with pytest.raises(ValueError, match=message):
        integrated_gradients(net, params, x, **{"classes": [0, 1, 2, 0], **changes})


def test_outputs_without_one_class_axis_are_refused():
    net, params, x = example(shape=(2, 3, 2))
    with pytest.raises(
        ValueError, match=r"saliency: expected outputs \(batch, n\).*input_jacobian"
    ):
        saliency(net, params, x, [0, 1])
