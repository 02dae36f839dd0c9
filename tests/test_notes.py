"""What the classic notes state, as statements about the library: costs, equations, inputs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import (
    Dense,
    backprop,
    half_square,
    serial,
    softmax_cross_entropy,
    sum_square,
)
from tests.compare import KEY, assert_trees_close, draw

pytestmark = pytest.mark.usefixtures("x64")
NET = serial(Dense(4), nn.sigmoid, Dense(7), nn.sigmoid, Dense(2), nn.sigmoid)


def setting(n=5):
    x = draw(jnp.zeros((n, 3)), 1)
    return draw(jax.eval_shape(NET.init, KEY, x), 2), x, jax.nn.sigmoid(draw(jnp.zeros((n, 2)), 3))


def forward(params, x):
    """Every activation and pre-activation, one example a column, as the notes write them."""
    a, zs, activations = x.T, [], [x.T]
    for p in params:
        if p:
            z = p.w.T @ a + p.b[:, None]
            a = 1 / (1 + np.exp(-z))
            zs.append(z)
            activations.append(a)
    return zs, activations


def test_the_four_equations_of_backpropagation_are_what_factors_and_gradients_hold():
    params, x, y = setting()
    found = backprop(NET, half_square, params, x, y, read=nn.factors)[1]
    grads = backprop(NET, half_square.replace(reduction="sum"), params, x, y)[1]
    zs, activations = forward(params, x)

    def slope(z):
        return np.exp(-z) / (1 + np.exp(-z)) ** 2

    delta = (activations[-1] - y.T) * slope(zs[-1])  # the error of the last layer
    for layer in (2, 1, 0):
        i = 2 * layer
        assert_trees_close(found[i].b.d, jnp.asarray(delta.T))
        assert_trees_close(grads[i].b, jnp.asarray(delta.sum(1)))  # dC/db = delta
        assert_trees_close(grads[i].w, jnp.asarray(activations[layer] @ delta.T))  # dC/dw = a delta
        if layer:  # the error of a hidden layer, from the error of the next
            delta = (np.asarray(params[i].w) @ delta) * slope(zs[layer - 1])


def test_the_error_of_one_example_does_not_depend_on_the_others():
    params, x, y = setting()
    together = backprop(NET, half_square, params, x, y, read=nn.factors)[1]
    alone = backprop(NET, half_square, params, x[2:3], y[2:3], read=nn.factors)[1]
    assert_trees_close(together[0].b.d[2:3], alone[0].b.d, rtol=1e-12)


def test_softmax_over_two_classes_is_the_sigmoid_of_the_difference():
    z = 3 * draw(jnp.zeros((20, 2)), 4)
    p = nn.softmax.forward((), z)[0]
    assert_trees_close(p[:, 1], nn.sigmoid.forward((), z[:, 1] - z[:, 0])[0], rtol=1e-12)
    labels = jnp.arange(20) % 2
    of_two, _ = softmax_cross_entropy(z, labels)
    of_one, _ = nn.sigmoid_cross_entropy((z[:, 1] - z[:, 0])[:, None], labels[:, None])
    assert_trees_close(of_two, of_one, rtol=1e-12)


def test_each_cost_has_its_own_scale():
    params, x, y = setting()
    a = np.asarray(NET.forward(params, x)[0])
    squares = ((a - np.asarray(y)) ** 2).sum()
    values = {
        half_square: squares / 10,  # 1/(2N) sum
        sum_square: squares / 5,  # the mean of C_k over the training set
        sum_square.replace(reduction="sum"): squares,  # the residual sum of squares
        half_square.replace(reduction="sum"): squares / 2,
    }
    for loss, value in values.items():
        np.testing.assert_allclose(backprop(NET, loss, params, x, y)[0], value, rtol=1e-12)


def test_categorical_cross_entropy_is_the_mean_of_minus_log_p_at_the_label():
    z, labels = draw(jnp.zeros((6, 4)), 5), np.array([0, 3, 1, 2, 2, 0])
    p = np.asarray(jax.nn.softmax(z))
    want = -np.log(p[np.arange(6), labels]).mean()
    for y in (labels, np.eye(4)[labels]):
        got = nn.evaluate(nn.linear, softmax_cross_entropy, (), z, y)["loss"]
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_an_epoch_on_the_full_batch_is_one_iteration_of_gradient_descent():
    params, x, y = setting()
    _, grads = backprop(NET, half_square, params, x, y)
    state = nn.State(jax.tree.map(jnp.copy, params), nn.SGD(0.3).init(params))
    state, _ = nn.train_epoch(
        NET, half_square, nn.SGD(0.3), state, x, y, np.arange(5), batch_size=5
    )
    assert_trees_close(state.params, jax.tree.map(lambda p, g: p - 0.3 * g, params, grads))


def test_an_rgb_image_is_flattened_row_by_row_with_the_colours_together():
    image = jnp.arange(18 * 18 * 3).reshape(1, 18, 18, 3).astype(jnp.uint8)
    flat, _ = nn.Flatten().forward((), image)
    assert flat.shape == (1, 972)
    row, column, colour = 4, 7, 2
    assert flat[0, (row * 18 + column) * 3 + colour] == image[0, row, column, colour]


def test_a_network_of_many_shapes_counts_its_parameters():
    for sizes in ([4, 3], [784, 392, 196, 10], [2, 5, 5, 5, 1]):
        net = serial(*(layer for n in sizes[1:] for layer in (Dense(n), nn.sigmoid)))
        params = jax.eval_shape(net.init, KEY, jnp.ones((1, sizes[0])))
        count = sum(n * (1 + before) for before, n in itertools.pairwise(sizes))
        assert nn.core.count_parameters(params) == count
