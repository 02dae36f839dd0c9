"""Losses: values and deltas against formulas and autodiff in float64, and their precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import half_square, sigmoid_cross_entropy, softmax_cross_entropy, sum_square
from tests.compare import assert_trees_close, draw
from tests.public import public

x64 = pytest.mark.usefixtures("x64")
LABELS = np.array([[4, 0, 2], [1, 1, 3]])
SHAPES = [(7, 5), (2, 3, 5)]
smoothed = softmax_cross_entropy.replace(smoothing=0.3)


def logits(shape=(2, 3, 5), scale=3.0):
    return scale * draw(jnp.zeros(shape), 5)


def targets(shape):
    return jax.nn.softmax(draw(jnp.zeros(shape), 6))


def assert_like_autodiff(loss, formula, z, y):
    """values and deltas equal a plain formula of one row, and its `jax.grad`."""
    values, deltas = loss(z, y)
    rows = z.reshape(-1, z.shape[-1])
    ys = y.reshape(len(rows), -1) if y.shape == z.shape else y.reshape(-1)
    want = jax.vmap(jax.value_and_grad(formula))(rows, ys)
    assert_trees_close((values.reshape(-1), deltas.reshape(rows.shape)), want)


@x64
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_squares(shape):
    z, y = logits(shape), targets(shape)
    assert_like_autodiff(half_square, lambda a, y: ((a - y) ** 2).sum() / 2, z, y)
    assert_like_autodiff(sum_square, lambda a, y: ((a - y) ** 2).sum(), z, y)


@x64
@pytest.mark.parametrize("loss", [softmax_cross_entropy, smoothed], ids=str)
def test_softmax_cross_entropy_of_labels_one_hot_and_soft_targets(loss):
    z, s = logits(), loss.smoothing

    def formula(z, q):
        return -(((1 - s) * q + s / 5) * jax.nn.log_softmax(z)).sum()

    assert_like_autodiff(loss, formula, z, targets(z.shape))
    one_hot = jax.nn.one_hot(LABELS, 5, dtype=z.dtype)
    assert_like_autodiff(loss, formula, z, one_hot)
    assert_trees_close(loss(z, jnp.asarray(LABELS)), loss(z, one_hot))


@x64
def test_sigmoid_cross_entropy():
    z, t, w = logits(), targets((2, 3, 5)), 2.5

    def formula(z, t, w=1.0):
        p = jax.nn.sigmoid(z)
        return -(w * t * jnp.log(p) + (1 - t) * jnp.log1p(-p)).sum()

    assert_like_autodiff(sigmoid_cross_entropy, formula, z, t)
    weighted = sigmoid_cross_entropy.replace(positive_weight=w)
    assert_like_autodiff(weighted, lambda z, t: formula(z, t, w), z, t)


@x64
@pytest.mark.parametrize("head", [nn.sigmoid, nn.softmax, nn.linear], ids=str)
def test_textbook_heads_with_the_quadratic_cost(head):
    z, y = draw(jnp.zeros((7, 5)), 1), targets((7, 5))
    a, kept = head.forward((), z)
    dz, _ = head.backward((), kept, half_square(a, y)[1], None)
    want = jax.grad(lambda z: 0.5 * ((head.forward((), z)[0] - y) ** 2).sum())(z)
    assert_trees_close(dz, want)


@pytest.mark.parametrize("gap", [8.0, 16.0, 20.0, 40.0, 80.0])
def test_a_sure_example_keeps_its_relative_precision_in_float32(gap):
    """`jax.grad` gives 0 here from gap 17 on; the right answer is about 4 e^-gap."""
    z = np.array([[gap, 0, 0.25, -0.5, 0]], np.float32)
    rest = np.exp(z.astype(np.float64) - gap)[0, 1:].sum()
    p = rest / (1 + rest)
    for y in (np.array([0]), np.eye(5, dtype=np.float32)[:1]):
        value, delta = softmax_cross_entropy(jnp.asarray(z), jnp.asarray(y))
        np.testing.assert_allclose(float(value[0]), np.log1p(rest), rtol=2e-6)
        np.testing.assert_allclose(float(delta[0, 0]), -p, rtol=2e-6)
    value, delta = sigmoid_cross_entropy(jnp.full((1, 1), gap), jnp.ones((1, 1)))
    np.testing.assert_allclose(float(delta[0, 0]), -1 / (1 + np.exp(gap)), rtol=2e-6)
    np.testing.assert_allclose(float(value[0]), np.log1p(np.exp(-gap)), rtol=2e-6)


@x64
def test_huge_logits_stay_finite():
    z = jnp.asarray([[1e4, -1e4, 0.0], [-1e300, 1e300, 5.0]])
    for loss, y in (
        (softmax_cross_entropy, jnp.asarray([1, 0])),
        (softmax_cross_entropy, jnp.eye(3)[:2]),
        (sigmoid_cross_entropy, jnp.eye(3)[:2]),
    ):
        values, deltas = loss(z, y)
        assert np.isfinite(values).all()
        assert np.isfinite(deltas).all()


@x64
def test_a_class_masked_by_minus_infinity_has_no_part():
    z = jnp.asarray([[1.0, -jnp.inf, 2.0]])
    for y in (jnp.asarray([2]), jnp.asarray([[0.25, 0.0, 0.75]])):
        values, deltas = softmax_cross_entropy(z, y)
        want = softmax_cross_entropy(z[:, ::2], y[:, ::2] if y.ndim > 1 else y - 1)
        assert_trees_close(values, want[0])
        assert_trees_close(deltas[:, ::2], want[1])
        assert float(deltas[0, 1]) == 0


@x64
def test_tied_logits_share_alike():
    z = jnp.zeros((1, 4))
    _, deltas = softmax_cross_entropy(z, jnp.asarray([2]))
    assert_trees_close(deltas, jnp.asarray([[0.25, 0.25, -0.75, 0.25]]))
    assert_trees_close(softmax_cross_entropy(z, jnp.eye(4)[2:3])[1], deltas)


@x64
def test_ignored_labels_have_neither_value_nor_delta():
    loss = softmax_cross_entropy.replace(ignore_index=-1)
    z, y = logits(), jnp.asarray(LABELS).at[0, 1].set(-1)
    values, deltas = loss(z, y)
    assert float(values[0, 1]) == 0
    assert not deltas[0, 1].any()
    keep = np.array([[1, 0, 1], [1, 1, 1]])
    np.testing.assert_array_equal(np.asarray(loss.weights(y, z.dtype)), keep)


@x64
def test_class_weights_of_labels_and_of_distributions():
    given = (1.0, 2.0, 0.0, 3.0, 5.0)
    loss = softmax_cross_entropy.replace(class_weights=given)
    np.testing.assert_array_equal(
        loss.weights(jnp.asarray(LABELS), jnp.float64), np.asarray(given)[LABELS]
    )
    q = targets((7, 5))
    np.testing.assert_allclose(np.asarray(loss.weights(q, jnp.float64)), np.asarray(q) @ given)


def test_an_out_of_range_label_inside_jit_gives_nan_not_a_silent_number():
    values, deltas = jax.jit(softmax_cross_entropy)(logits((2, 5)), jnp.asarray([5, 1]))
    assert np.isnan(values[0])
    assert np.isnan(deltas[0]).all()
    assert np.isfinite(values[1])


def test_labels_of_any_integer_type_are_the_same_labels():
    z = jnp.asarray(np.random.default_rng(0).normal(size=(3, 300)), jnp.float32)
    want = softmax_cross_entropy(z, jnp.asarray([0, 200, 255], jnp.int32))
    loss = softmax_cross_entropy.replace(ignore_index=-1)
    assert_trees_close(loss(z, jnp.asarray([0, 200, 255], jnp.uint8)), want, rtol=0)


def test_a_loss_prints_as_the_call_that_makes_it_and_compares_by_value():
    for loss in (smoothed, half_square.replace(reduction="sum"), sigmoid_cross_entropy):
        again = eval(repr(loss), public())
        assert again == loss
        assert hash(again) == hash(loss)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: half_square(jnp.ones((4, 1)), jnp.ones(4)), r"got float32 \(4,\); .* y\[\.\.\."),
        (lambda: sum_square(jnp.ones((4, 3)), jnp.ones(4, int)), r"one_hot\(y, 3\)"),
        (
            lambda: sigmoid_cross_entropy(jnp.ones((4, 3)), jnp.ones((4, 1))),
            r"got float32 \(4, 1\)",
        ),
        (lambda: softmax_cross_entropy(jnp.ones((4, 3)), jnp.ones(5, int)), r"labels of shape"),
        (lambda: softmax_cross_entropy(jnp.ones((4, 3)), jnp.ones((4, 2))), r" \(4, 2\)$"),
        (lambda: softmax_cross_entropy(jnp.ones((4, 3)), jnp.ones(4)), r"labels are integers"),
        (
            lambda: half_square.replace(reduction="average"),
            "reduction to be one of ",
        ),
        (lambda: softmax_cross_entropy.replace(smoothing=1.5), r"smoothing in \[0, 1\], got 1.5"),
        (lambda: softmax_cross_entropy.replace(class_weights=(1.0, -1.0)), "class_weights"),
        (lambda: sigmoid_cross_entropy.replace(positive_weight=0.0), r"in \(0, inf\], got 0"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
