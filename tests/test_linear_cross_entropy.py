"""Cross-entropy of a linear map, a part at a time: value and gradients beside autodiff."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bench.method import temporary
from jaxnn import linear_cross_entropy
from tests.compare import assert_trees_close, draw

N, WIDTH, CLASSES = 7, 5, 11
W, B = draw(jnp.zeros((WIDTH, CLASSES)), 1), draw(jnp.zeros(CLASSES), 2)
LABELS = jnp.asarray(np.random.default_rng(3).integers(0, CLASSES, N))


def by_autodiff(x, w, labels, b, weights):
    def cost(x, w, b):
        z = x @ w + (0 if b is None else b)
        losses = jax.nn.logsumexp(z, -1) - jnp.take_along_axis(z, labels[..., None], -1)[..., 0]
        return (weights * losses).sum() / weights.sum()

    return jax.value_and_grad(cost, (0, 1) if b is None else (0, 1, 2))(x, w, b)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("rows", [0, 1, 3, 7, 20])
@pytest.mark.parametrize("columns", [0, 1, 4, 11, 50])
@pytest.mark.parametrize("bias", [True, False], ids=["b", "no b"])
def test_it_is_what_autodiff_gives(rows, columns, bias):
    x, w, b = (jnp.asarray(a, float) for a in (draw(jnp.zeros((N, WIDTH)), 4), W, B))
    weights, b = jnp.arange(1.0, N + 1), b if bias else None
    value, grads = linear_cross_entropy(
        x, w, LABELS, b, weights=weights, rows=rows, columns=columns
    )
    wanted, expected = by_autodiff(x, w, LABELS, b, weights)
    assert_trees_close((value, tuple(grads)), (wanted, (*expected, *[None] * (not bias))), 1e-12)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("columns", [0, 4])
def test_large_logits_sequences_and_labels_that_do_not_count(columns):
    x = 300 * draw(jnp.zeros((2, 3, WIDTH)), 4)
    labels = jnp.asarray([[0, 1, -1], [CLASSES, 4, 10]])
    w, b = jnp.asarray(W, float), jnp.asarray(B, float)
    value, grads = linear_cross_entropy(x, w, labels, b, rows=4, columns=columns)
    counted = jnp.asarray([[1.0, 1, 0], [0, 1, 1]])
    expected = by_autodiff(x, w, jnp.clip(labels, 0, 10), b, counted)
    assert_trees_close((value, tuple(grads)), expected, rtol=1e-10)
    nothing, grads = linear_cross_entropy(x, w, jnp.full((2, 3), -1), b, columns=columns)
    assert nothing == 0
    assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(grads))


def test_a_narrow_dtype_has_sums_in_float32():
    x, w, b = (a.astype(jnp.bfloat16) for a in (draw(jnp.zeros((N, WIDTH)), 4), W, B))
    value, grads = linear_cross_entropy(x, w, LABELS, b, rows=3, columns=4)
    assert value.dtype == jnp.float32
    assert {leaf.dtype for leaf in grads} == {jnp.dtype(jnp.bfloat16)}
    x, w, b = (a.astype(jnp.float32) for a in (x, w, b))
    exact, _ = by_autodiff(x, w, LABELS, b, jnp.ones(N))
    # the digits that bfloat16 loses are in the weights already, so little is lost on the way
    assert value == pytest.approx(float(exact), rel=1e-5)


@pytest.mark.parametrize("parts", [{"rows": 16}, {"columns": 128}], ids=str)
def test_no_array_holds_all_logits(parts):
    x, w, labels = jnp.zeros((128, 16)), jnp.zeros((16, 2048)), jnp.zeros(128, int)
    sizes = [
        temporary(
            jax.jit(lambda *given, parts=given: linear_cross_entropy(*given, **parts))
            .lower(x, w, labels)
            .compile()
        )
        for given in ({}, parts)
    ]
    assert sizes[1] < 0.4 * sizes[0]


REFUSED = [
    (lambda: linear_cross_entropy(W.T, W, jnp.ones(CLASSES)), TypeError, "labels of integers"),
    (lambda: linear_cross_entropy(W, W, LABELS), ValueError, r"got \(5, 11\) and \(5, 11\)"),
    (lambda: linear_cross_entropy(W.T, W, LABELS), ValueError, r"labels of shape \(11,\), got"),
    (
        lambda: linear_cross_entropy(W.T, W, jnp.arange(11), B[:3]),
        ValueError,
        r"b of shape \(11,\), got \(3,\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
