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

    # no bias before batch-norm: its gradient is exactly zero, which rounding turns into noise
    net = serial(Dense(5, bias=False), BatchNorm(), nn.tanh)
    (grads, squares), wanted = both(net, call)
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


@pytest.mark.parametrize("layer", [serial(Dense(5), nn.tanh), Repeat(Dense(5, bias=False), 2)])
@pytest.mark.parametrize("inverse", ["exact", "factored"])
@x64
def test_kfac_takes_the_block_of_each_layer(layer, inverse):
    x, y, repeated, in_a_row = setting(layer)
    loss, kfac = nn.softmax_cross_entropy, nn.KFAC(nn.SGD(0.1), inverse=inverse, fisher="exact")

    def moved(net, params):
        state = nn.start(net, kfac, KEY, x)._replace(params=params)
        exact = nn.curvature.kflr(net, loss, params, x, y)
        empirical = nn.backprop(net, loss, params, x, y, read=nn.curvature.kronecker)[1]
        return exact, empirical, nn.train_step(net, loss, kfac, state, x, y)[0].params

    found = moved(around(Repeat(layer, N)), repeated)
    for got, wanted in zip(found, moved(around(serial(*[layer] * N)), in_a_row), strict=True):
        assert_trees_close(got, joined(wanted), rtol=1e-9)


def test_rules_for_backward_hold_inside_it():
    fa = nn.feedback.FeedbackAlignment()
    net = Repeat(serial(Dense(5), nn.tanh), N)
    inside = Repeat(serial(nn.feedback.WithBackward(Dense(5), fa), nn.tanh), N)
    assert nn.feedback.with_rule(serial(net, Dense(3)), fa) == serial(
        inside, nn.feedback.WithBackward(Dense(3), fa)
    )
    x, *_ = setting(inside.layer, (6, 5))
    with pytest.raises(TypeError, match="a whole serial"):
        nn.feedback.WithBackward(net, nn.feedback.DirectFeedbackAlignment()).init(KEY, x)


def summed(trees):
    return jax.tree.map(lambda *leaves: sum(leaves), *trees)


class Squared(type(nn.gradient)):
    """What it says of n layers does not hold: it has an `of` of its own."""

    def of(self, factor, c):
        return jnp.square(factor.contract(c)).sum()


@pytest.mark.parametrize("asked", [Squared(), lambda f, c: jnp.square(f.contract(c)).sum()])
@x64
def test_a_reading_that_says_nothing_of_n_layers_gets_all_of_them_at_once(asked):
    def call(net, params, x, y):
        read = (nn.per_example, asked, nn.squared_norms)
        return nn.backprop(net, nn.softmax_cross_entropy, params, x, y, read=read)[1]

    found, wanted = both(serial(Dense(5), nn.tanh), call)
    assert_trees_close(found[1:], tuple(joined(tree, summed) for tree in wanted[1:]), rtol=1e-11)


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
