"""The threshold unit and the ways to train it, against plain loops, bounds and known answers."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.perceptron.rules import (
    Fit,
    _train,
    _two,
    _zeros,
    novikoff_bound,
    train_averaged_perceptron,
    train_multiclass_perceptron,
    train_perceptron,
    train_pocket_perceptron,
)
from jaxnn.perceptron.threshold import homogeneous, threshold_unit
from tests.compare import KEY

CORNERS = np.array(list(itertools.product((0, 1), repeat=2)), np.float32)
AND, XOR = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 0])
over_seeds = pytest.mark.parametrize("seed", range(20))


def separable(seed):
    """Points (40, 3) of float32, labels 0 and 1, and a separator with w and b of joint norm 1."""
    rng = np.random.default_rng(seed)
    separator = rng.normal(size=4)
    w, b = np.split((separator / np.linalg.norm(separator)).astype(np.float32), [3])
    x = rng.normal(size=(100, 3)).astype(np.float32)
    x = x[abs(x @ w + b) > 0.3][:40]
    return x, (x @ w + b > 0).astype(np.int32), w, b[0]


def whole(seed):
    """Points of small whole numbers, on which float32 does not round, and labels by chance."""
    rng = np.random.default_rng(seed)
    return rng.integers(-4, 5, (30, 2)).astype(np.float32), rng.integers(0, 2, 30)


def plain_loop(x, y, visits):
    """Visit the rows in order and correct mistakes: (w, b) after each visit, and mistakes."""
    w, b, mistakes, met = np.zeros(x.shape[1]), 0.0, 0, []
    for i in itertools.islice(itertools.cycle(range(len(x))), visits):
        sign = 1 if y[i] > 0 else -1
        if sign * (x[i] @ w + b) <= 0:
            w, b, mistakes = w + sign * x[i], b + sign, mistakes + 1
        met.append((w, b))
    return met, mistakes


def wrong(fit, x, y):
    return int((np.where(y > 0, 1, -1) * (x @ np.asarray(fit.w) + np.asarray(fit.b)) <= 0).sum())


@pytest.mark.parametrize(("low", "expected"), [(0, [0, 1, 1]), (-1, [-1, 1, 1])])
def test_a_unit_puts_out_1_at_exactly_0_in_both_conventions(low, expected):
    x = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]], np.float32)
    y = threshold_unit(x, np.array([1.0, 5.0], np.float32), -2.0, low=low)
    assert (y.tolist(), y.dtype) == (expected, x.dtype)


def test_a_unit_is_dense_and_step():
    x = np.random.default_rng(0).integers(-2, 3, (50, 3)).astype(np.float32)
    w, b = np.array([[1, -2], [0, 1], [2, 1]], np.float32), np.array([1, 0], np.float32)
    net = nn.serial(nn.Dense(2), nn.step)
    expected, _ = net.forward((nn.Affine(jnp.asarray(w), jnp.asarray(b)), ()), jnp.asarray(x))
    np.testing.assert_array_equal(threshold_unit(x, w, b), expected)
    np.testing.assert_array_equal(threshold_unit(x, w[:, 0], b[0]), expected[:, 0])


@over_seeds
def test_homogeneous_coordinates_predict_and_learn_the_same(seed):
    x, y = whole(seed)
    for limit in range(0, 40, 3):
        fit = train_perceptron(x, y, limit=limit)
        same = train_perceptron(homogeneous(x), y, limit=limit, bias=False)
        assert same.b is None
        np.testing.assert_array_equal(same.w, [*fit.w, fit.b])
        assert (same.mistakes, same.wrong) == (fit.mistakes, fit.wrong)
        np.testing.assert_array_equal(
            threshold_unit(x, fit.w, fit.b), threshold_unit(homogeneous(x), same.w)
        )


@over_seeds
def test_mistakes_stay_below_novikoffs_bound(seed):
    x, y, w, b = separable(seed)
    fit = train_perceptron(x, y)
    assert fit.separated
    assert wrong(fit, x, y) == 0
    bound = novikoff_bound(x, y, w, b)
    margins = np.where(y > 0, 1, -1) * (x @ w + b)
    np.testing.assert_allclose(bound, ((x**2).sum(1) + 1).max() / margins.min() ** 2, rtol=5e-6)
    assert 1 <= fit.mistakes <= bound
    np.testing.assert_allclose(novikoff_bound(x, y, 7 * w, 7 * b), bound, rtol=5e-6)
    assert fit.mistakes <= novikoff_bound(x, y, fit.w, fit.b)


@over_seeds
def test_the_points_are_corrected_one_at_a_time_in_the_order_of_the_rows(seed):
    x, y = whole(seed)
    met, mistakes = plain_loop(x, y, 100)
    fit = train_perceptron(x, y, limit=mistakes)
    np.testing.assert_array_equal(fit.w, met[-1][0])
    assert (fit.b, fit.mistakes, fit.wrong) == (met[-1][1], mistakes, wrong(fit, x, y))


def test_both_conventions_of_labels_give_the_same_separator():
    x, y, _, _ = separable(0)
    for train in (train_perceptron, lambda x, y: train_pocket_perceptron(x, y, KEY)):
        fit = train(x, y)
        for labels in (2 * y - 1, (2.0 * y - 1).astype(np.float32), y == 1):
            jax.tree.map(np.testing.assert_array_equal, fit, train(x, labels))


@pytest.mark.parametrize("label", [0, 1, -1])
def test_a_point_on_the_boundary_is_a_mistake_whatever_its_label(label):
    x, y = np.ones((1, 1), np.float32), np.array([label])
    assert not train_perceptron(x, y, limit=0).separated  # at w = 0 all points are on it
    fit = train_perceptron(x, y)
    assert (fit.mistakes, fit.w) == (1, 1 if label == 1 else -1)


def test_points_that_no_line_separates_end_at_the_limit_and_it_is_said():
    fit = train_perceptron(CORNERS, XOR, limit=500)
    assert (bool(fit.separated), int(fit.mistakes)) == (False, 500)
    text = f"not separated: points not on their side: {fit.wrong} (mistakes: 500); there may be no"
    assert str(fit).startswith(text)
    assert str(train_perceptron(CORNERS, AND)).startswith("separated: every point is on its side (")


def test_a_point_that_is_nan_is_never_right():
    x = np.array([[1.0], [np.nan]], np.float32)
    assert not train_perceptron(x, np.array([1, 1]), limit=10).separated


@over_seeds
def test_the_pocket_keeps_the_best_weights_met(seed):
    x, y = whole(seed)
    key, signs = jax.random.key(seed), jnp.where(y > 0, 1.0, -1.0).astype(np.float32)
    counts = []
    for limit in range(25):
        fit = train_pocket_perceptron(x, y, key, limit=limit)
        last, best = _train(_two, x, signs, _zeros(x, (), True), limit, key)
        jax.tree.map(np.testing.assert_array_equal, fit, best)
        counts.append(int(last.wrong))
        assert int(fit.wrong) == wrong(fit, x, y) == min(counts)
    again = train_pocket_perceptron(x, y, key, limit=24)
    jax.tree.map(np.testing.assert_array_equal, again, fit)


def test_the_pocket_finds_a_line_that_is_wrong_for_one_point_of_xor():
    for key in jax.random.split(KEY, 20):
        fit = train_pocket_perceptron(CORNERS, XOR, key, limit=1000)
        assert (int(fit.wrong), int(fit.mistakes)) == (1, 1000)


def test_the_averaged_weights_are_the_mean_over_all_visits():
    x, y = whole(3)
    met, mistakes = plain_loop(x, y, 4 * len(x))
    fit = train_averaged_perceptron(x, y, epochs=4)
    np.testing.assert_allclose(fit.w, np.mean([w for w, _ in met], axis=0), rtol=1e-6)
    np.testing.assert_allclose(fit.b, np.mean([b for _, b in met]), rtol=1e-6)
    assert (fit.mistakes, fit.wrong) == (mistakes, wrong(fit, x, y))


@over_seeds
def test_several_classes_are_separated_where_they_can_be(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 3)).astype(np.float32)
    scores = x @ rng.normal(size=(3, 4)).astype(np.float32)
    clear = np.diff(np.sort(scores, axis=1)[:, -2:])[:, 0] > 0.3
    x, y = x[clear][:60], scores.argmax(1)[clear][:60]
    fit = train_multiclass_perceptron(x, y, 4)
    assert fit.separated
    np.testing.assert_array_equal((x @ np.asarray(fit.w) + np.asarray(fit.b)).argmax(1), y)
    np.testing.assert_allclose(fit.w.sum(1), 0, atol=3e-5)  # a mistake adds as much as it takes


def test_the_first_mistake_of_several_classes_moves_the_class_and_the_first_of_its_rivals():
    fit = train_multiclass_perceptron(np.array([[2.0, 3.0]], np.float32), np.array([1]), 3, limit=1)
    np.testing.assert_array_equal(fit.w, [[-2, 2, 0], [-3, 3, 0]])
    np.testing.assert_array_equal(fit.b, [-1, 1, 0])


def test_training_passes_through_jit_and_vmap_and_keeps_float64(x64):
    x, y, w, b = separable(0)
    fit = train_perceptron(x.astype(np.float64), y)
    assert fit.w.dtype == np.float64
    both = jax.jit(jax.vmap(lambda y: train_perceptron(x, y)))(np.stack([y, 1 - y]))
    np.testing.assert_allclose(both.w[0], -both.w[1])
    assert jax.jit(novikoff_bound)(x, 1 - y, w, b) == np.inf


X, Y = np.ones((4, 2), np.float32), np.array([0, 1, 1, 0])
REFUSED = [
    (
        lambda: train_perceptron(X.astype(int), Y),
        TypeError,
        r"floating-point x, got int\d\d of .*x.a",
    ),
    (lambda: train_perceptron(X[0], Y), ValueError, r"expected x \(n, k\) .* got shape \(2,\)"),
    (lambda: train_perceptron(X[:0], Y[:0]), ValueError, r"one or more points, got shape \(0, 2\)"),
    (lambda: train_perceptron(X, Y[:3]), ValueError, r"each of the 4 points, got shape \(3,\)"),
    (lambda: train_perceptron(X, Y + 1), ValueError, r"\{0, 1\} or of \{-1, \+1\}, got 1, 2; for"),
    (
        lambda: train_perceptron(X, Y - 1),
        ValueError,
        r"\{-1, \+1\}, got -1, 0; for more classes us",
    ),
    (
        lambda: train_perceptron(X, Y, limit=-1),
        ValueError,
        "limit to be a whole number >= 0, got -1",
    ),
    (lambda: train_pocket_perceptron(X, Y, KEY, limit=2.0), ValueError, "limit to be .* got 2.0"),
    (lambda: train_averaged_perceptron(X, Y, epochs=0), ValueError, "epochs to be .* >= 1, got 0"),
    (lambda: train_multiclass_perceptron(X, Y, 1), ValueError, "classes to be .* >= 2, got 1"),
    (lambda: train_multiclass_perceptron(X, 2 * Y, 2), ValueError, r"in \[0, 2\), got 0, 2 \(int"),
    (lambda: train_multiclass_perceptron(X, Y / 1.0, 2), ValueError, r"got 0.0, 1.0 \(float"),
    (lambda: novikoff_bound(X, Y, X[0]), ValueError, "separate the points, got .* margin of -1.4"),
    (lambda: novikoff_bound(X, Y, X[:, 0]), ValueError, r"w of shape \(2,\) to fit .* got \(4,\)"),
    (lambda: threshold_unit(X, X[0], low=2), ValueError, "low to be 0 or -1, got 2"),
    (lambda: threshold_unit(X, X[:, 0]), ValueError, r"w \(2,\) to fit x \(4, 2\), got shape \(4,"),
    (lambda: homogeneous(np.float32(1)), ValueError, "got a scalar; give it an axis"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_a_refusal_says_what_was_expected_and_what_came(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_fit_is_a_record():
    fit = train_perceptron(CORNERS, AND)
    assert isinstance(fit, Fit)
    assert [leaf.shape for leaf in jax.tree.leaves(fit)] == [(2,), (), (), ()]
