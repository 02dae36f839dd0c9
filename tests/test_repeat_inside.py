"""What the rest of the library makes of a `Repeat` and of the layers inside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, Dropout, Repeat, serial
from jaxnn.check import check_layer
from jaxnn.layers.activations import Tanh
from jaxnn.training.inference import Statistics
from tests.compare import KEY, assert_trees_close, draw
from tests.test_repeat import N, around, both, joined, setting, x64


@x64
def test_it_is_frozen_layer_by_layer_with_the_statistics_of_each():
    layer = serial(Dense(5), BatchNorm(), nn.tanh)
    x, _, repeated, in_a_row = setting(layer)
    net, other = around(Repeat(layer, N)), around(serial(*[layer] * N))
    y, residuals = net.forward(repeated, x)
    observed = net.observe(residuals)
    assert_trees_close(observed, joined(other.observe(other.forward(in_a_row, x)[1])), rtol=1e-12)
    still, params = nn.freeze(net, repeated, Statistics(1, observed))
    assert still == around(Repeat(serial(Dense(5), nn.layers.Rescale(), nn.tanh), N))
    assert_trees_close(nn.predict(still, params, x), y, rtol=1e-12)
    with pytest.raises(ValueError, match=r"^\[1\]\[1\] BatchNorm\(\): expected statistics"):
        nn.freeze(net, repeated)
    dropped = nn.freeze(Repeat(Dropout(0.5), N), ())
    assert dropped == (Repeat(nn.linear, N), ())


@pytest.mark.parametrize("mixing", ["frozen", "attribution", "exact"])
@x64
def test_batch_norm_inside_is_read_as_batch_norm_in_a_row(mixing):
    def call(net, params, x, y):
        loss, read = nn.softmax_cross_entropy, (nn.gradient, nn.squared_norms)
        return nn.backprop(net, loss, params, x, y, KEY, read=read, mixing=mixing)[1]

    (grads, squares), wanted = both(serial(Dense(5), BatchNorm(), nn.tanh), call)
    assert_trees_close(grads, joined(wanted[0]), rtol=1e-9)
    assert_trees_close(nn.total(squares), nn.total(wanted[1]), rtol=1e-9)


def test_it_trains_and_is_summed_up_as_one_layer():
    layer = serial(Dense(5, w_init=nn.initializers.normal(0.5)), BatchNorm(), nn.tanh, Dropout(0.1))
    net, optimizer = around(Repeat(layer, N)), nn.Adam(0.01)
    x = draw(jnp.zeros((64, 5)), 1)
    y = np.asarray(x[:, 0] > 0, int)
    state, values = nn.start(net, optimizer, KEY, x), []
    for _ in range(40):
        order = np.arange(64)
        given = net, nn.softmax_cross_entropy, optimizer, state, x, y, order, KEY
        state, value = nn.train_epoch(
            *given, batch_size=16, options=nn.Options(penalty=nn.l2(1e-4))
        )
        values.append(float(value))
    assert values[-1] < 0.6 * values[0]
    found = nn.summary(net, x)
    assert [row.path for row in found.rows] == ["[0]", "[1]", "[2]"]
    assert found.rows[1].layer == repr(Repeat(layer, N))
    assert found.rows[1].parameters == N * 40


def test_kfac_goes_on_with_the_plain_gradient():
    x, y, params, _ = setting(serial(Dense(5), nn.tanh), (6, 5))
    net = around(Repeat(serial(Dense(5), nn.tanh), N))
    found = nn.curvature.kflr(net, nn.softmax_cross_entropy, params, x, y)
    assert found[1] == (nn.Affine(None, None), ())
    kfac = nn.KFAC(nn.SGD(0.1))
    state = nn.start(net, kfac, KEY, x)
    moved, _ = nn.train_step(net, nn.softmax_cross_entropy, kfac, state, x, y)
    _, grads = nn.backprop(net, nn.softmax_cross_entropy, state.params, x, y)
    plain = jax.tree.map(lambda p, g: p - 0.1 * g, state.params[1], grads[1])
    assert_trees_close(moved.params[1], plain, rtol=1e-5)


def test_rules_for_backward_hold_inside_it():
    fa = nn.feedback.FeedbackAlignment()
    net = Repeat(serial(Dense(5), nn.tanh), N)
    inside = Repeat(serial(nn.feedback.WithBackward(Dense(5), fa), nn.tanh), N)
    assert nn.feedback.with_rule(serial(net, Dense(3)), fa) == serial(
        inside, nn.feedback.WithBackward(Dense(3), fa)
    )
    x, y, params, _ = setting(inside.layer, (6, 5))
    with pytest.raises(ValueError, match=r"rules outside of a Repeat, got \[1\] Repeat"):
        nn.feedback.alignment(around(inside), nn.softmax_cross_entropy, params, x, y)
    with pytest.raises(TypeError, match="a whole serial"):
        nn.feedback.WithBackward(net, nn.feedback.DirectFeedbackAlignment()).init(KEY, x)


class Halved(Tanh, name="halved"):
    def backward(self, params, residuals, dy, read):
        dx, _ = super().backward(params, residuals, dy, read)
        return dx / 2, ()


class Biasless(Dense):
    def backward(self, params, residuals, dy, read):
        dx, (dw, _) = super().backward(params, residuals, dy, read)
        return dx, nn.Affine(dw, jnp.zeros_like(params.b))


@pytest.mark.parametrize(
    ("layer", "place"),
    [(serial(Dense(5), Halved()), "[1][1] halved"), (Biasless(5), "[1] Biasless(5)")],
)
def test_the_checker_names_the_layer_inside(layer, place):
    report = check_layer(around(Repeat(layer, N)), None, draw(jnp.zeros((3, 5)), 1))
    assert report.verdict == "wrong"
    assert report.place.startswith(place)
