"""Outputs with inner axes, (batch, time, n): every public call, beside its definition.

The values of the calls are those of other tests; here it counts that they take sequences at all,
with and without weights, and that positions which the loss leaves out do not count.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, curvature, feedback, readings, serial, softmax_cross_entropy
from tests.compare import KEY

NET = serial(Dense(5), nn.relu, Dense(3))
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(4, 7, 2)), jnp.float32)
LABELS = RNG.integers(0, 3, (4, 7))
LABELS[0, :2] = LABELS[2] = -1  # some positions of one example, and all of another
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]
MARKED = softmax_cross_entropy.replace(ignore_index=-1)
OBJECTIVES = [
    (MARKED, LABELS),
    (MARKED.replace(class_weights=(1.0, 2.0, 0.0)), LABELS),
    (softmax_cross_entropy, np.abs(LABELS)),
    (softmax_cross_entropy.replace(reduction="sum"), ONE_HOT),
    (nn.sigmoid_cross_entropy, ONE_HOT),
    (nn.half_square, ONE_HOT),
]
WEIGHTS = np.array([1.0, 2.0, 0.5, 0.0], np.float32)  # of examples
POSITIONS = np.triu(RNG.uniform(0.5, 2, (4, 7))).astype(np.float32)
PARAMS = NET.init(KEY, X)
SGD = nn.SGD(0.1)


def both(make):
    return nn.stack([make(0.1), make(0.2)])


def state():
    return nn.start(NET, SGD, KEY, X)


def epoch(loss, y, w, batch_size, micro_batches=1):
    options = nn.Options(w, micro_batches=micro_batches)
    order = np.array([3, 1, 0, 2, 1, 2])
    return nn.train_epoch(
        NET, loss, SGD, state(), X, y, order, batch_size=batch_size, options=options
    )


def together(loss, y, w):
    states = nn.stack([state(), state()])
    return nn.train_epoch_together(
        NET, loss, both(nn.SGD), states, X, y, np.arange(4), batch_size=3, options=nn.Options(w)
    )


def read(reading):
    def call(loss, y, w):
        whole = nn.backprop(NET, loss, PARAMS, X, y, weights=w, read=reading)
        parts = nn.accumulate(NET, loss, PARAMS, X, y, weights=w, read=reading, micro_batches=2)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), whole, parts
        )
        return whole

    return call


V = jax.tree.map(jnp.ones_like, PARAMS)
READINGS = {
    "gradient": nn.gradient,
    "per_example": nn.per_example,
    "squared_norms": nn.squared_norms,
    "clipped": nn.clipped(0.1),
    "weighted": readings.weighted(jnp.arange(4.0)),
    "directional": readings.directional(V),
    "second_moment": readings.second_moment,
    "variance": readings.variance,
    "noise_scale": readings.noise_scale,
}
CALLS = {
    **{f"read {name}": read(reading) for name, reading in READINGS.items()},
    "factors": lambda loss, y, w: nn.backprop(NET, loss, PARAMS, X, y, weights=w, read=nn.factors),
    "gram": lambda loss, y, w: nn.backprop(NET, loss, PARAMS, X, y, weights=w, read=readings.gram),
    "train_step": lambda loss, y, w: nn.train_step(
        NET, loss, SGD, state(), X, y, options=nn.Options(w)
    ),
    "micro-batches": lambda loss, y, w: nn.train_step(
        NET, loss, SGD, state(), X, y, options=nn.Options(w, micro_batches=2)
    ),
    "train_epoch": lambda loss, y, w: epoch(loss, y, w, 4),
    "train_epoch in micro-batches": lambda loss, y, w: epoch(loss, y, w, 4, 2),
    "train_epoch_together": together,
    "predict": lambda loss, y, w: nn.predict(NET, PARAMS, X, batch_size=3),
    "evaluate": lambda loss, y, w: nn.evaluate(
        NET, loss, PARAMS, X, y, weights=w, metrics=(hits,), batch_size=3
    ),
    "hvp": lambda loss, y, w: curvature.hvp(NET, loss, PARAMS, X, y, V, weights=w),
    "gnvp": lambda loss, y, w: curvature.gnvp(NET, loss, PARAMS, X, y, V, weights=w),
    "ggn_diagonal": lambda loss, y, w: curvature.ggn_diagonal(NET, loss, PARAMS, X, y, weights=w),
    "hessian_diagonal": lambda loss, y, w: curvature.hessian_diagonal(
        NET, loss, PARAMS, X, y, weights=w
    ),
    "sampled": lambda loss, y, w: curvature.sampled_ggn_diagonal(
        NET, loss, PARAMS, X, y, KEY, samples=2, weights=w
    ),
    "kflr": lambda loss, y, w: curvature.kflr(NET, loss, PARAMS, X, y, weights=w),
    "input_gradient": lambda loss, y, w: curvature.input_gradient(
        NET, loss, PARAMS, X, y, weights=w
    ),
}


def hits(outputs, y):
    return nn.accuracy(outputs, jnp.argmax(y, -1) if y.shape == outputs.shape else y)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_call_takes_sequences_with_weights_and_without(call):
    marked, square = OBJECTIVES[0], OBJECTIVES[-1]
    for (loss, y), w in (marked, None), (marked, POSITIONS), (square, WEIGHTS), (square, POSITIONS):
        for leaf in jax.tree.leaves(call(loss, y, w)):
            assert bool(jnp.isfinite(leaf).all()), (loss, w)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("loss", "y"), OBJECTIVES, ids=lambda value: str(value)[:40])
def test_the_gradient_of_sequences_is_that_of_autodiff(loss, y, reduction):
    loss = loss.replace(reduction=reduction)
    for w in (None, WEIGHTS, POSITIONS) if reduction == "mean" else (WEIGHTS, POSITIONS):
        assert nn.check.check_backprop(NET, loss, PARAMS, X, y, weights=w)


def test_a_summary_and_an_alignment_of_sequences():
    assert nn.summary(NET, X).rows[-1].output == (4, 7, 3)
    net = feedback.with_rule(NET, feedback.FeedbackAlignment())
    found = feedback.alignment(net, MARKED, net.init(KEY, X), X, LABELS)
    assert 0 < float(found["[0].w"].gradient) < 180


def by_example(outputs, y):
    """One score for an example: the share of its positions that are right, ignored ones too."""
    return nn.accuracy(outputs, y).mean(-1)


@pytest.mark.parametrize("w", [None, WEIGHTS])
def test_what_a_loss_leaves_out_does_not_count_in_a_metric(w):
    got = nn.evaluate(NET, MARKED, PARAMS, X, LABELS, weights=w, metrics=(nn.accuracy, by_example))
    right = np.asarray(jnp.argmax(NET.forward(PARAMS, X)[0], -1)) == LABELS
    c = np.ones(4) if w is None else w
    counts = (LABELS != -1) * c[:, None]
    np.testing.assert_allclose(got["accuracy"], (right * counts).sum() / counts.sum(), rtol=1e-6)
    c = c * [1, 1, 0, 1]  # the third example is left out as a whole
    np.testing.assert_allclose(got["by_example"], (right.mean(-1) * c).sum() / c.sum(), rtol=1e-6)


def test_an_ignored_example_does_not_count_in_a_metric_and_nothing_at_all_gives_nan():
    y = jnp.asarray([0, -1, 2, -1])
    x, labels = X[:, 0], np.array([0, 1, 2, 1])
    got = nn.evaluate(NET, MARKED, PARAMS, x, y, metrics=(nn.accuracy,))
    right = np.asarray(jnp.argmax(NET.forward(PARAMS, x)[0], -1)) == labels
    np.testing.assert_allclose(got["accuracy"], right[[0, 2]].mean())
    none = nn.evaluate(NET, MARKED, PARAMS, x, y, weights=np.zeros(4), metrics=(nn.accuracy,))
    assert np.isnan(none["accuracy"])
