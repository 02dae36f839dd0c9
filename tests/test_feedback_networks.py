"""Backward rules in whole networks: wrapping one, how far it is from backprop, and the configs."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import tree_flatten_with_path

import jaxnn as nn
from experiments.config import Dense
from experiments.config.file import load
from experiments.config.network import BackwardName
from experiments.training import build
from experiments.training.run import run
from jaxnn.core.places import value_at
from jaxnn.feedback.direct import DirectFeedbackAlignment
from jaxnn.feedback.matrices import FeedbackAlignment, SignSymmetric
from jaxnn.feedback.networks import alignment, with_rule
from jaxnn.feedback.rules import GradientReversal, GuidedBackprop, WithBackward, WithFeedback
from tests.compare import KEY, assert_trees_close, setting

NET = nn.serial(nn.Dense(7), nn.tanh, nn.Dense(5), nn.tanh, nn.Dense(3))
X, Y = np.random.default_rng(0).normal(size=(11, 4)).astype(np.float32), np.arange(11) % 3
LOSS = nn.softmax_cross_entropy
CONFIGS = ("feedback_alignment", "direct_feedback_alignment")


def test_a_rule_wraps_each_layer_that_has_something_to_teach():
    fa, guided = FeedbackAlignment(), GuidedBackprop()
    net = nn.serial(nn.Pixels(), nn.Dense(7), nn.relu, nn.serial(nn.Dense(3), nn.relu), nn.Dense(2))
    inside = nn.serial(WithBackward(nn.Dense(3), fa), nn.relu)
    wrapped = nn.serial(*net.layers[:3], inside, WithBackward(nn.Dense(2), fa))
    assert with_rule(net, fa) == wrapped
    taught = nn.serial(nn.Embedding(5, 2), nn.Flatten(), nn.Dense(3))
    assert with_rule(taught, fa) == nn.serial(*taught.layers[:2], WithBackward(nn.Dense(3), fa))
    relus = nn.serial(nn.relu, nn.Dense(3))
    wrapped = nn.serial(WithBackward(nn.relu, guided), nn.Dense(3))
    assert with_rule(relus, guided, type(nn.relu)) == wrapped
    assert with_rule(net, DirectFeedbackAlignment()) == WithBackward(net, DirectFeedbackAlignment())


def test_a_rule_without_a_layer_to_take_it_is_refused():
    with pytest.raises(ValueError, match="expected a Dense with layers below that learn"):
        with_rule(nn.serial(nn.Dense(3), nn.relu), FeedbackAlignment())


def test_a_network_with_rules_is_summed_up_saved_and_frozen_like_any_other(tmp_path):
    net = with_rule(nn.serial(nn.Dense(7), nn.Dropout(0.5), nn.Dense(3)), FeedbackAlignment())
    assert [row.path for row in nn.summary(net, X).rows] == ["[0]", "[1]", "[2]"]
    params, _ = setting(net, X)
    nn.save(tmp_path / "p", params)
    assert_trees_close(nn.load(tmp_path / "p", jax.eval_shape(net.init, KEY, X)), params, 0)
    frozen, kept = nn.freeze(net, params)
    assert frozen == with_rule(nn.serial(nn.Dense(7), nn.linear, nn.Dense(3)), FeedbackAlignment())
    assert_trees_close(kept[2], params[2], rtol=0)


def test_a_layer_that_mixes_examples_still_does_behind_a_rule():
    net = WithBackward(nn.serial(nn.Dense(3, bias=False), nn.BatchNorm()), GradientReversal())
    assert net.mixes_examples
    assert not WithBackward(nn.Dense(3), GradientReversal()).mixes_examples
    state = nn.start(net, nn.SGD(0.1), KEY, X)
    state, _ = nn.train_step(net, LOSS, nn.SGD(0.1), state, X, Y)
    frozen, params = nn.freeze(net, state.params, state.statistics)
    assert frozen == WithBackward(nn.serial(nn.Dense(3, bias=False), nn.layers.Rescale()), net.rule)
    assert frozen.forward(params, jnp.asarray(X))[0].shape == (11, 3)


def _angle(a, b):
    a, b = np.float64(a).ravel(), np.float64(b).ravel()
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return np.degrees(np.arccos(min(cosine, 1.0)))  # rounding can take it past 1


def _delta(factor, c):
    return factor.d


@pytest.mark.parametrize("rule", [FeedbackAlignment(), DirectFeedbackAlignment()])
def test_alignment_is_the_angle_to_backprop_on_the_same_parameters(rule):
    net = WithBackward(NET, rule)
    params, _ = setting(net, X)
    found = alignment(net, LOSS, params, X, Y)
    assert list(found) == [".layer[0].w", ".layer[2].w", ".layer[4].w"]
    ws = [params.layer[i].w for i in (0, 2, 4)]
    exact = ws if isinstance(rule, FeedbackAlignment) else [None, ws[1] @ ws[2], ws[2]]
    bs = params.feedback if exact[0] is not None else (None, *params.feedback)
    read = (nn.gradient, _delta)
    ours = nn.backprop(net, LOSS, params, X, Y, read=read)[1]
    theirs = nn.backprop(NET, LOSS, params.layer, X, Y, read=read)[1]
    for mine, true, name in zip(ours, theirs, ("gradient", "delta"), strict=True):
        for i, row in zip((0, 2, 4), found.values(), strict=True):
            a, b = mine.layer[i].w, true[i].w
            ratio = np.linalg.norm(a) / np.linalg.norm(b)
            np.testing.assert_allclose(getattr(row, name), _angle(a, b), atol=1e-4)  # degrees
            np.testing.assert_allclose(getattr(row, f"{name}_ratio"), ratio, rtol=1e-6)
    for b, w, row in zip(bs, exact, found.values(), strict=True):
        wanted = np.nan if w is None else _angle(b, w)
        np.testing.assert_allclose(row.weights, wanted, rtol=1e-6)
    assert found[".layer[0].w"].delta > 10


def test_alignment_with_the_weights_themselves_is_exact():
    params, _ = setting(NET, X)
    ws = tuple(p for path, p in tree_flatten_with_path(params)[0] if nn.core.weights(path))
    net = WithBackward(NET, FeedbackAlignment())
    for row in alignment(net, LOSS, WithFeedback(params, ws), X, Y).values():
        assert (row.delta, row.gradient, row.delta_ratio, row.gradient_ratio) == (0, 0, 1, 1)
        assert row.weights < 1e-5  # degrees: equal arrays, their norms summed in another order


def test_alignment_compares_with_what_a_rule_drew_for_this_batch():
    net = nn.serial(nn.Dense(3), WithBackward(nn.Dense(3), SignSymmetric("batch")))
    params, _ = setting(net, X)
    one, again, other = (
        alignment(net, LOSS, params, X, Y, key)["[1].w"].weights
        for key in (KEY, KEY, jax.random.key(8))
    )
    assert 0 < one < 90
    assert one == again
    assert one != other


FA = FeedbackAlignment()
BLOCK = nn.serial(WithBackward(nn.Dense(4), FA), nn.tanh)
INSIDE = {
    "repeat": nn.Repeat(BLOCK, 2),
    "recompute in repeat": nn.Repeat(nn.Recompute(nn.Skip(BLOCK)), 2),
    "tie": nn.Tie(nn.serial(BLOCK, BLOCK), ("[0][0].layer.w", "[1][0].layer.w")),
    "chunked": nn.Chunked(BLOCK, 3),
    "mixed precision": nn.MixedPrecision(BLOCK),
}


@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE.keys())
def test_alignment_sees_rules_inside_of_combinators(inside):
    net = nn.serial(nn.Dense(4), inside)
    params, _ = setting(net, X)
    found = alignment(net, LOSS, params, X, Y)
    path = "[1][0][0].layer.w" if isinstance(inside, nn.Tie) else "[1][0].layer.w"
    assert list(found) == ["[0].w", path]

    def objective(params):
        return LOSS(net.forward(params, X)[0], Y)[0].mean()

    _, ours = nn.backprop(net, LOSS, params, X, Y)
    true = jax.jit(jax.grad(objective))(params)
    narrow = isinstance(inside, nn.MixedPrecision)
    for name, row in found.items():
        wanted = _angle(value_at(ours, name), value_at(true, name))
        np.testing.assert_allclose(row.gradient, wanted, atol=2.0 if narrow else 1e-3)  # degrees
    assert min(found["[0].w"].delta, found["[0].w"].gradient) > 10
    assert np.isfinite(found[path].delta)
    (b,) = value_at(params, path.replace("layer.w", "feedback"))
    wanted = _angle(b, value_at(params, path))
    np.testing.assert_allclose(found[path].weights, wanted, rtol=0.01 if narrow else 1e-5)


FEW = ["--data.name", "digits", "--train.epochs", "1", "--train.batch_size", "8"]


def small_run(name, folder, hidden, *words):
    smaller = [f"--model.layers.{i}.units=50" for i in range(1, hidden + 1)]
    metrics = run(load(name, [*FEW, "--train.lr", "0.01", *smaller, *words]), folder)
    assert metrics["test_loss"] < 0.8 * np.log(10)  # that of guessing
    assert metrics["test_accuracy"] > 0.5
    return metrics


def test_feedback_alignment_learns_in_one_epoch_on_few_images_and_records_angles(tmp_path):
    metrics = small_run(CONFIGS[0], tmp_path, 1)
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == metrics
    assert 0 < metrics["[2].w delta"] < 90
    assert 0 < metrics["[4].layer.w weights"] < 90
    assert metrics["[4].layer.w delta"] == 0
    assert "[2].w weights" not in metrics


def test_direct_feedback_alignment_learns_in_one_epoch_on_few_images(tmp_path):
    metrics = small_run(CONFIGS[1], tmp_path, 3, "--train.no_alignment")
    assert not any("delta" in key for key in metrics)


@pytest.mark.parametrize("backward", BackwardName.__args__)
def test_every_word_for_a_backward_pass_builds_a_network_with_it(backward):
    experiment = load("direct_feedback_alignment", ["--model.backward", backward])
    net = build.network(experiment, pixel_max=16)
    shown = repr(net).lower().replace("_", "")
    assert (backward.replace("_", "") in shown) == (backward != "backprop")
    assert ("withbackward" in shown) == (backward != "backprop")


def test_the_rules_of_the_configs_have_networks_of_their_papers():
    fa, dfa = (load(name, []).model for name in CONFIGS)
    dense = [[layer for layer in m.layers if isinstance(layer, Dense)] for m in (fa, dfa)]
    units = [[layer.units for layer in layers] for layers in dense]
    assert units == [[1000, 10], [400, 400, 400, 10]]
    activations = [[layer.activation for layer in layers] for layers in dense]
    assert activations == [["sigmoid", "linear"], ["tanh", "tanh", "tanh", "linear"]]
