"""Feedback weights: each rule against its formula, what training does to B, and wrong uses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
from tests.cases import Case
from tests.compare import KEY, assert_trees_close, by_hand, draw, norm, setting
from tests.private_layers import LSTM
from tests.test_backward_rules import each, own, whole

x64 = pytest.mark.usefixtures("x64")


@x64
def test_feedback_alignment_sends_delta_through_b_and_nothing_else_changes():
    layer = WithBackward(nn.Dense(7), FeedbackAlignment())
    x = Case(layer, (3, 5)).x()
    params, dy = setting(layer, x)
    dx, readings = by_hand(layer, params, x, dy)
    assert_trees_close(dx, dy @ params.feedback[0].T)
    assert_trees_close(readings.layer, by_hand(nn.Dense(7), params.layer, x, dy)[1], rtol=0)
    assert not np.any(readings.feedback[0])


@pytest.mark.parametrize("magnitudes", ["one", "fixed", "batch"])
@x64
def test_sign_symmetric_feedback_has_the_signs_of_w_and_the_magnitudes_of_m(magnitudes):
    layer = WithBackward(nn.Dense(7), SignSymmetric(magnitudes, nn.initializers.normal(1.0)))
    x = Case(layer, (7, 5)).x()
    params, _ = setting(layer, x)
    w = own(params).w.at[0, 0].set(0)  # sign(0) = 0
    given = own(params)._replace(w=w)
    params = params._replace(layer=given) if magnitudes == "fixed" else given

    @jax.jit
    def b_of(key):  # errors that are unit vectors show B itself
        _, residuals = layer.forward(params, x, key)
        return layer.backward(params, residuals, jnp.eye(7), whole)[0].T

    b = b_of(KEY)
    np.testing.assert_array_equal(jnp.sign(b), jnp.sign(w))
    if magnitudes == "one":
        np.testing.assert_array_equal(b, jnp.sign(w))
    if magnitudes == "fixed":
        np.testing.assert_array_equal(b, jnp.abs(params.feedback[0]) * jnp.sign(w))
    assert np.array_equal(b, b_of(jax.random.key(8))) == (magnitudes != "batch")


@pytest.mark.parametrize("rule", [DirectFeedbackAlignment, DirectRandomTargetProjection])
@x64
def test_direct_feedback_is_its_formula(rule):
    net = nn.serial(nn.Dense(7), nn.tanh, nn.Dense(5), nn.tanh, nn.Dense(3))
    x, y = draw(jnp.zeros((4, 11)), 1), jnp.array([0, 2, 1, 1])
    layer = WithBackward(net, rule())
    params, _ = setting(layer, x)
    (p1, _, p2, _, p3), (b1, b2) = params
    h1 = np.tanh(x @ p1.w + p1.b)
    h2 = np.tanh(h1 @ p2.w + p2.b)
    t, z = np.eye(3)[y], h2 @ p3.w + p3.b
    e = np.exp(z) / np.exp(z).sum(-1, keepdims=True) - t
    heard = e if rule is DirectFeedbackAlignment else -t
    d1, d2 = heard @ b1.T * (1 - h1**2), heard @ b2.T * (1 - h2**2)
    _, grads = nn.backprop(layer, nn.softmax_cross_entropy, params, x, y)
    for i, (a, d) in {0: (x, d1), 2: (h1, d2), 4: (h2, e)}.items():
        assert_trees_close(grads.layer[i], nn.Affine(a.T @ d / 4, jnp.asarray(d.sum(0) / 4)), 1e-12)
    assert not any(np.any(b) for b in grads.feedback)


def test_direct_feedback_hears_the_delta_of_the_last_layer_with_weights():
    inside = nn.serial(nn.Dense(7), nn.tanh, nn.Dense(3))
    outside = nn.serial(*inside.layers, nn.sigmoid)
    x = Case(inside, (5, 11)).x()
    params, dy = setting(WithBackward(inside, DirectFeedbackAlignment()), x)
    y = nn.sigmoid.forward((), inside.forward(params.layer, x)[0])[0]
    d = nn.sigmoid.backward((), y, dy, each)[0]
    wanted = by_hand(WithBackward(inside, DirectFeedbackAlignment()), params, x, d)[1].layer
    longer = WithFeedback((*params.layer, ()), params.feedback)
    found = by_hand(WithBackward(outside, DirectFeedbackAlignment()), longer, x, dy)[1].layer
    assert_trees_close(found[:-1], wanted, rtol=1e-6)  # float32: sigmoid' is fused elsewhere


def steps(net, optimizer, n, penalty=None, loss=nn.half_square):
    """The states before and after n steps on a few examples."""
    x, y = draw(jnp.zeros((11, 5)), 1), draw(jnp.zeros((11, 2)), 2)
    state = first = nn.start(net, optimizer, KEY, x)
    for i in range(n):
        key = jax.random.fold_in(KEY, i)
        state, _ = nn.train_step(
            net, loss, optimizer, state, x, y, key, options=nn.Options(penalty=penalty)
        )
    return first.params, state.params


NET = nn.serial(
    WithBackward(nn.serial(nn.Dense(7), nn.tanh, nn.Dense(3)), DirectFeedbackAlignment()),
    WithBackward(nn.Dense(3), SignSymmetric()),
    WithBackward(nn.Dense(3), FeedbackAlignment()),
    WithBackward(nn.Dense(2), KolenPollack()),
)
ADAMW = nn.chain(nn.clip_by_global_norm(0.1), nn.AdamW(0.1, weight_decay=0.2))
TRAINING = {  # optimizer, penalty, and what a decay of eta lambda leaves of a weight in a step
    "SGD": (nn.SGD(0.1), nn.l2(0.5), 0.95),
    "momentum": (nn.SGD(0.1, momentum=0.9), None, 1.0),
    "RMSProp": (nn.RMSProp(0.1), None, 1.0),
    "AdamW": (ADAMW, None, 0.98),
}


@pytest.mark.parametrize(("optimizer", "penalty", "kept"), TRAINING.values(), ids=TRAINING.keys())
@x64
def test_training_leaves_a_fixed_b_and_gives_that_of_kolen_pollack_the_updates_of_w(
    optimizer, penalty, kept
):
    (*before, first), (*after, last) = steps(NET, optimizer, 2, penalty)
    for old, new in zip(before, after, strict=True):
        assert_trees_close(new.feedback, old.feedback, rtol=0)
        for p, moved in zip(jax.tree.leaves(old.layer), jax.tree.leaves(new.layer), strict=True):
            assert np.all(p != moved)
    gaps = [p.feedback.w - p.layer.w for p in (first, last)]
    assert_trees_close(gaps[1], kept**2 * gaps[0])
    assert norm(np.asarray(last.layer.w - first.layer.w)) > 0.01
    assert last.feedback.b is None


@x64
def test_a_weight_mirror_moves_b_towards_w():
    net = nn.serial(nn.BatchNorm(), WithBackward(nn.Dense(3), WeightMirror(rate=0.5)))
    x = draw(jnp.zeros((40_000, 5)), 1)
    params, y = setting(net, x)
    db = nn.backprop(net, nn.half_square, params, x, y, KEY)[1][1].feedback[0]
    wanted = 0.5 * (params[1].feedback[0] - params[1].layer.w)
    error = norm(np.asarray(db - wanted))
    assert error < 0.05 * norm(np.asarray(wanted))  # a mean of 40,000: sqrt(6 / 40,000) |w|
    assert error > 0


ERRORS = [
    (nn.relu, FeedbackAlignment(), "relu without any"),
    (nn.Dropout(0.5), SignSymmetric("one"), "expected a layer with weights"),
    (nn.tanh, KolenPollack(), "expected a layer with weights"),
    (LSTM(3), WeightMirror(), "expected one affine map"),
    (nn.tanh, GuidedBackprop(), "expected relu, got tanh"),
    (nn.relu, StraightThrough(), "expected step, got relu"),
    (nn.Dense(3), DirectFeedbackAlignment(), r"expected a whole serial\(...\), got Dense\(3\)"),
    (nn.serial(nn.Dense(3), nn.tanh), DirectFeedbackAlignment(), "two or more layers with weights"),
    (
        nn.serial(nn.Dense(3), nn.BatchNorm(), nn.Dense(2)),
        DirectRandomTargetProjection(),
        r"do not mix, got \[1\] BatchNorm",
    ),
]


@pytest.mark.parametrize(("layer", "rule", "message"), ERRORS)
def test_a_rule_on_a_layer_it_does_not_apply_to_names_path_and_layer(layer, rule, message):
    shape = (2, 3, 5) if isinstance(layer, LSTM) else (2, 5)
    net = nn.serial(nn.linear, WithBackward(layer, rule))
    with pytest.raises(TypeError, match=rf"^\[1\] WithBackward\(.*{message}"):
        jax.eval_shape(net.init, KEY, jnp.ones(shape))


def test_other_wrong_uses_say_what_to_do():
    x = jnp.ones((2, 5))
    with pytest.raises(TypeError, match="expected a layer and a rule, as in WithBackward"):
        WithBackward(FeedbackAlignment(), nn.Dense(3))  # pyright: ignore
    with pytest.raises(ValueError, match=r"magnitudes to be one of .* got 'two'"):
        SignSymmetric("two")  # pyright: ignore
    with pytest.raises(ValueError, match="StraightThrough: expected a finite clip"):
        StraightThrough(clip=0.0)
    with pytest.raises(ValueError, match="GradientReversal: expected a finite strength"):
        GradientReversal(-1.0)
    with pytest.raises(TypeError, match="floating-point x, whose dx turns, got int32"):
        WithBackward(nn.Embedding(3, 2), GradientReversal()).init(KEY, jnp.ones((2, 5), jnp.int32))
    for rule in (SignSymmetric("batch"), WeightMirror()):
        layer = WithBackward(nn.Dense(3), rule)
        params, dy = setting(layer, x)
        _, residuals = layer.forward(params, x)
        with pytest.raises(ValueError, match=r"WithBackward\(Dense\(3\).*expected a random key"):
            layer.backward(params, residuals, dy, each)
    layer = WithBackward(nn.Dense(3), FeedbackAlignment())
    with pytest.raises(TypeError, match=r"expected parameters WithFeedback.*got Affine"):
        layer.forward(own(setting(layer, x)[0]), x)
    over_time = WithBackward(nn.serial(nn.Dense(3), nn.Dense(2)), DirectFeedbackAlignment())
    with pytest.raises(TypeError, match=r"expected outputs \(batch, n\), got \(batch, 3, 2\)"):
        jax.eval_shape(over_time.init, KEY, jnp.ones((2, 3, 5)))
