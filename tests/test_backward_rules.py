"""Layers that go back by another rule than the derivative: a table of their own, and their laws.

What holds for every layer but the gradient law holds here too; with B = w^T the rules that send
delta through other weights are backprop bit for bit; each rule is checked against its formula.
"""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import tree_flatten_with_path, tree_map_with_path

import jaxnn as nn
from jaxnn.feedback.direct import DirectFeedbackAlignment, DirectRandomTargetProjection
from jaxnn.feedback.matrices import FeedbackAlignment, KolenPollack, SignSymmetric, WeightMirror
from jaxnn.feedback.rules import (
    GradientReversal,
    GuidedBackprop,
    StraightThrough,
    WithBackward,
    WithFeedback,
)
from tests import private_layers
from tests.cases import KINK, Case, name
from tests.compare import KEY, assert_trees_close, by_hand, setting
from tests.private_layers import LSTM
from tests.public import public

DEEP = nn.serial(nn.Dense(7), nn.tanh, nn.serial(nn.Dense(3), nn.relu), nn.Dense(2))
IMAGES = nn.serial(nn.Conv(5, window=2), nn.relu, nn.Flatten(), nn.Dense(3))

RULES = [
    Case(WithBackward(nn.Dense(7), FeedbackAlignment()), (2, 3, 5)),
    Case(
        WithBackward(nn.DropConnect(7, drop_rate=0.4), FeedbackAlignment(nn.initializers.he)),
        (3, 5),
    ),
    Case(
        WithBackward(nn.Conv(5, window=3, stride=2, padding=1), FeedbackAlignment()), (2, 7, 11, 3)
    ),
    Case(WithBackward(nn.Dense(7, bias=False), SignSymmetric()), (3, 5)),
    Case(WithBackward(nn.Dense(7), SignSymmetric("one")), (3, 5)),
    Case(WithBackward(nn.Dense(7), SignSymmetric("batch", nn.initializers.he)), (3, 5)),
    Case(WithBackward(nn.Dense(7), KolenPollack()), (2, 3, 5)),
    Case(WithBackward(DEEP, KolenPollack()), (3, 5)),
    Case(WithBackward(nn.Dense(7), WeightMirror(rate=0.5)), (3, 5)),
    Case(WithBackward(DEEP, DirectFeedbackAlignment()), (3, 5)),
    Case(WithBackward(IMAGES, DirectFeedbackAlignment()), (2, 5, 7, 3)),
    Case(WithBackward(DEEP, DirectRandomTargetProjection()), (3, 5)),
    Case(WithBackward(nn.Dense(7), GradientReversal(0.5)), (3, 5)),
    Case(WithBackward(nn.relu, GuidedBackprop()), (3, 5), KINK),
    Case(WithBackward(nn.step, StraightThrough()), (3, 5), KINK),
    Case(WithBackward(nn.step(0.5), StraightThrough(clip=1.0)), (3, 5), (1.5, -0.5, *KINK)),
    Case(
        WithBackward(nn.serial(nn.Dense(7, bias=False), nn.BatchNorm()), GradientReversal()), (5, 3)
    ),
]
# guided backprop cuts negative errors off, and target projection sees their signs alone
NOT_LINEAR = (GuidedBackprop, DirectRandomTargetProjection)

over_rules = pytest.mark.parametrize("case", RULES, ids=name)
x64 = pytest.mark.usefixtures("x64")


def own(params):
    """The parameters of the layer inside."""
    return params.layer if isinstance(params, WithFeedback) else params


def whole(factor):
    return factor.contract()


def each(factor):
    return factor.each()


@over_rules
@x64
def test_backward_is_linear_in_dy_except_where_a_rule_is_not(case):
    x = case.x()
    params, dy = setting(case.layer, x)
    dx, readings = by_hand(case.layer, params, x, dy)
    both = by_hand(case.layer, params, x, dy + dy[::-1])[0]
    other = by_hand(case.layer, params, x, dy[::-1])[0]
    linear = np.allclose(both, dx + other, rtol=1e-12, atol=1e-12)
    assert linear != isinstance(case.layer.rule, NOT_LINEAR)
    assert jax.tree.structure(readings) == jax.tree.structure(params)


@over_rules
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_shapes_and_dtypes_are_kept(case, dtype):
    x = case.x(dtype)
    params, dy = setting(case.layer, x)
    dx, readings = jax.eval_shape(by_hand, case.layer, params, x, dy)
    assert (dx.dtype, dx.shape) == (dtype, x.shape)
    chex.assert_trees_all_equal_shapes_and_dtypes(readings, params)


@over_rules
@x64
def test_forward_is_the_layers_and_its_residuals_are_arrays_that_cross_two_jits(case):
    x = case.x()
    params, dy = setting(case.layer, x)

    @jax.jit
    def up(p, x):
        return case.layer.forward(p, x, KEY), case.layer.layer.forward(own(p), x, KEY)[0]

    @jax.jit
    def down(p, r, dy):
        return [case.layer.backward(p, r, dy, read) for read in (whole, each)]

    (y, residuals), wanted = up(params, x)
    np.testing.assert_array_equal(y, wanted)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(residuals))
    apart, (_, examples) = down(params, residuals, dy)
    together = by_hand(case.layer, params, x, dy)
    assert_trees_close(apart, together, rtol=1e-12)
    summed = jax.tree.map(lambda leaf: leaf.sum(0), examples)
    assert_trees_close(summed, together[1], rtol=1e-12)


@over_rules
def test_a_rebuilt_layer_is_equal_and_prints_as_the_call_that_makes_it(case):
    rebuilt = eval(repr(case.layer), {**public(), **vars(private_layers)})
    assert rebuilt == case.layer
    assert hash(rebuilt) == hash(case.layer)
    assert repr(case.layer.rule) in repr(case.layer)


def _signs(w, size=0.5):
    return jnp.where(w < 0, -size, size).astype(w.dtype)


def _with_weights(params, change):
    """The parameters with every weight w replaced by change(w)."""
    return tree_map_with_path(lambda path, p: change(p) if nn.core.weights(path) else p, params)


HALVES = nn.initializers.constant(0.5)
BACKPROP = {  # what makes of random parameters those with B = w^T: (rule, weights, feedback)
    "FA": (FeedbackAlignment(), lambda w: w, tuple),
    "mirror": (WeightMirror(), lambda w: w, tuple),
    "frSF": (SignSymmetric("fixed"), lambda w: w, lambda ws: tuple(jnp.abs(w) for w in ws)),
    "uSF": (SignSymmetric("one"), lambda w: _signs(w, 1.0), None),
    "brSF": (SignSymmetric("batch", HALVES), _signs, None),
}
LAYERS = [
    (DEEP, (3, 5)),
    (nn.DropConnect(7, drop_rate=0.4), (3, 5)),
    (nn.Conv(5, window=3, stride=2, padding=1), (2, 7, 11, 3)),
    (LSTM(7), (3, 5, 2)),
]
DENSE = [(rule, nn.Dense(7), (2, 3, 5)) for rule in BACKPROP]
ALL = [*DENSE, *(("FA", *layer) for layer in LAYERS), ("brSF", DEEP, (3, 5))]


@pytest.mark.parametrize(("rule", "layer", "shape"), ALL, ids=lambda v: repr(v)[:20])
def test_with_the_weights_themselves_a_rule_is_backprop_bit_for_bit(rule, layer, shape):
    rule, weights, make = BACKPROP[rule]
    x = Case(layer, shape).x()
    params, dy = setting(layer, x)
    params = _with_weights(params, weights)
    given = params
    if make is not None:
        ws = [p for path, p in tree_flatten_with_path(params)[0] if nn.core.weights(path)]
        given = WithFeedback(params, make(ws))
    dx, readings = by_hand(WithBackward(layer, rule), given, x, dy)
    assert_trees_close((dx, own(readings)), by_hand(layer, params, x, dy), rtol=0)


def test_kolen_pollack_from_the_weights_themselves_is_backprop_bit_for_bit():
    net = WithBackward(DEEP, KolenPollack())
    x = Case(net, (3, 5)).x()
    params, dy = setting(net, x)
    params = params._replace(feedback=jax.tree.map(lambda b: b, _only_weights(params.layer)))
    dx, readings = by_hand(net, params, x, dy)
    assert_trees_close((dx, readings.layer), by_hand(DEEP, params.layer, x, dy), rtol=0)
    assert_trees_close(readings.feedback, _only_weights(readings.layer), rtol=0)


def _only_weights(params):
    return tree_map_with_path(lambda path, p: p if nn.core.weights(path) else None, params)


def test_direct_feedback_through_the_weights_of_the_output_is_backprop_bit_for_bit():
    net = nn.serial(nn.Dense(7), nn.tanh, nn.Dense(3), nn.sigmoid)
    x = Case(net, (5, 11)).x()
    params, dy = setting(net, x)
    given = WithFeedback(params, (params[2].w,))
    dx, readings = by_hand(WithBackward(net, DirectFeedbackAlignment()), given, x, dy)
    assert_trees_close((dx, readings.layer), by_hand(net, params, x, dy), rtol=0)


@pytest.mark.parametrize("case", [RULES[0], RULES[9]], ids=name)
def test_the_same_key_starts_the_layer_as_without_a_rule(case):
    x = case.x()
    params, plain = jax.jit(lambda: (case.layer.init(KEY, x), case.layer.layer.init(KEY, x)))()
    assert_trees_close(own(params), plain, rtol=0)
    assert isinstance(params, WithFeedback) == case.layer.rule.has_feedback
    drawn = jax.tree.leaves(params.feedback) if case.layer.rule.has_feedback else []
    for b in drawn:
        assert not any(np.array_equal(b, w) for w in jax.tree.leaves(plain))


def test_gradient_reversal_turns_dx_and_not_the_gradients_of_its_layer():
    x = Case(nn.Dense(7), (3, 5)).x()
    params, dy = setting(nn.Dense(7), x)
    dx, dparams = by_hand(nn.Dense(7), params, x, dy)
    turned = by_hand(WithBackward(nn.Dense(7), GradientReversal(0.5)), params, x, dy)
    assert_trees_close(turned, (-0.5 * dx, dparams), rtol=0)


def test_guided_backprop_lets_through_what_is_positive_up_and_down():
    x, dy = jnp.array([[-1.0, 0.0, 2.0, 3.0, 4.0]]), jnp.array([[5.0, 5.0, -6.0, 0.0, 7.0]])
    dx, _ = by_hand(WithBackward(nn.relu, GuidedBackprop()), (), x, dy)
    np.testing.assert_array_equal(dx, [[0, 0, 0, 0, 7]])


def test_straight_through_is_the_identity_and_clipped_within_a_distance_of_the_threshold():
    x, dy = jnp.array([[-1.0, -0.5, 0.5, 1.5, 1.6]]), jnp.array([[1.0, 2.0, 3.0, 4.0, 5.0]])
    dx, _ = by_hand(WithBackward(nn.step(0.5), StraightThrough()), (), x, dy)
    np.testing.assert_array_equal(dx, dy)
    dx, _ = by_hand(WithBackward(nn.step(0.5), StraightThrough(clip=1.0)), (), x, dy)
    np.testing.assert_array_equal(dx, [[0, 2, 3, 4, 0]])
