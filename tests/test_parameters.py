"""Initialisers, counts, penalties: what concerns parameters alone."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Affine, Dense, l1, l2, serial
from jaxnn.initializers import fans
from tests.compare import assert_trees_close, draw

KEY = jax.random.key(0)
NET = serial(Dense(7), nn.sigmoid, Dense(2))


@pytest.mark.parametrize(
    ("init", "variance"),
    [
        (nn.initializers.glorot, 2 / (300 + 500)),
        (nn.initializers.he, 2 / 300),
        (nn.initializers.lecun, 1 / 300),
        (nn.initializers.he.replace(distribution="uniform"), 2 / 300),
        (nn.initializers.glorot.replace(distribution="normal"), 2 / 800),
        (nn.initializers.lecun.replace(fan="out"), 1 / 500),
        (nn.initializers.normal(0.3, mean=2.0), 0.09),
        (nn.initializers.uniform(0.0, 0.01), 0.01**2 / 12),
    ],
    ids=str,
)
def test_an_initialiser_has_the_moments_it_promises(init, variance):
    w = np.asarray(init(KEY, (300, 500), jnp.float32), np.float64)
    mean = {nn.initializers.normal: getattr(init, "mean", 0), nn.initializers.uniform: 0.005}.get(
        type(init), 0
    )
    # 150,000 draws: the mean is within 5 standard errors, the variance within 2 %
    assert abs(w.mean() - mean) < 5 * math.sqrt(variance / w.size)
    assert abs(w.var() / variance - 1) < 0.02


def test_the_uniform_rule_stays_in_its_bounds():
    w = nn.initializers.glorot(KEY, (30, 50), jnp.float32)
    assert float(jnp.abs(w).max()) <= math.sqrt(6 / 80)


def test_the_fan_rules_of_a_dense_weight_and_of_a_kernel():
    assert fans((3, 5)) == (3, 5)
    assert fans((2, 7, 3, 5)) == (42, 70)


def test_constant_and_zeros():
    assert not nn.initializers.zeros(None, (3,), jnp.float32).any()
    np.testing.assert_array_equal(
        nn.initializers.constant(1.5)(None, (2,), jnp.float32), [1.5, 1.5]
    )


def test_parameters_take_the_dtype_of_the_input():
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        params = NET.init(KEY, jax.ShapeDtypeStruct((1, 5), dtype))
        assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(dtype)}


def test_init_under_vmap_gives_as_many_networks():
    x = jnp.ones((1, 5))
    many = jax.vmap(lambda key: NET.init(key, x))(jax.random.split(KEY, 3))
    assert many[0].w.shape == (3, 5, 7)
    assert float(jnp.abs(many[0].w[0] - many[0].w[1]).max()) > 0


def test_count_parameters_is_the_sum_of_weights_and_biases():
    sizes = [784, 392, 196, 10]
    net = serial(*(Dense(n) for n in sizes[1:]))
    params = jax.eval_shape(net.init, KEY, jnp.ones((1, 784)))
    weights = sum(n * m for n, m in itertools.pairwise(sizes))
    assert nn.core.count_parameters(params) == weights + sum(sizes[1:])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("penalty", "formula"),
    [
        (l1(0.3), lambda w: 0.3 * jnp.abs(w).sum()),
        (l2(0.5), lambda w: 0.25 * (w * w).sum()),
        (nn.elastic(0.3, 0.5), lambda w: 0.3 * jnp.abs(w).sum() + 0.25 * (w * w).sum()),
    ],
    ids=["l1", "l2", "elastic"],
)
def test_a_penalty_is_of_the_weights_alone(penalty, formula):
    params = draw(jax.eval_shape(NET.init, KEY, jnp.ones((1, 5))), 3)
    value, grads = penalty(params)
    want, wanted = jax.value_and_grad(lambda p: formula(p[0].w) + formula(p[2].w))(params)
    assert_trees_close((value, grads), (want, wanted))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("on", [nn.core.everything, lambda path: path[-1].name == "b"])
@pytest.mark.parametrize(
    ("make", "l1_strength", "l2_strength"),
    [
        (lambda on: l1(0.3, on), 0.3, 0.0),
        (lambda on: l2(0.5, on=on), 0.0, 0.5),
        (lambda on: nn.elastic(0.3, 0.5, on=on), 0.3, 0.5),
    ],
    ids=["l1", "l2", "elastic"],
)
def test_a_penalty_is_of_what_on_chooses(make, l1_strength, l2_strength, on):
    """Biases too, or alone: value and gradient, and nothing of the others."""
    params = draw(jax.eval_shape(NET.init, KEY, jnp.ones((1, 5))), 3)

    def formula(params):
        chosen = [p for path, p in jax.tree_util.tree_leaves_with_path(params) if on(path)]
        return sum(l1_strength * jnp.abs(p).sum() + l2_strength / 2 * (p * p).sum() for p in chosen)

    assert_trees_close(make(on)(params), jax.value_and_grad(formula)(params))


def test_the_subgradient_of_l1_at_zero_is_zero():
    _, grads = l1(1.0)(Affine(jnp.asarray([[0.0, -2.0, 3.0]]), None))
    np.testing.assert_array_equal(grads.w, [[0, -1, 1]])


def test_tables_and_recurrent_weights_are_weights_and_scales_are_not():
    tree = {"w_h": jnp.ones(2), "scale": jnp.ones(2), "b": jnp.ones(2)}
    _, grads = l2(1.0)(
        (nn.core.Table(jnp.ones((2, 2))), nn.core.ScaleShift(jnp.ones(2), None), tree)
    )
    assert float(grads[0].rows.sum()) == 4
    assert float(grads[1].scale.sum()) == 0
    assert [float(grads[2][n].sum()) for n in ("w_h", "scale", "b")] == [2, 0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: l2(0.1)((jnp.ones(2), jnp.ones(3))), ValueError, r"got \[0\], \[1\]; name them w"),
        (lambda: l1(-0.1), ValueError, r"l1 in \[0, inf\], got -0.1"),
        (lambda: l2(float("nan")), ValueError, "finite l2"),
        (lambda: l2("0.1"), TypeError, "a number for l2, got '0.1'"),
        (lambda: fans((3,)), ValueError, r"\(\.\.\., n_in, n_out\), got \(3,\)"),
        (
            lambda: nn.initializers.he(KEY, (3,), jnp.float32),
            ValueError,
            "give vectors such as biases zeros",
        ),
        (
            lambda: nn.initializers.he(None, (3, 5), jnp.float32),
            ValueError,
            "expected a random key, got None",
        ),
        (lambda: nn.initializers.normal(-1.0), ValueError, r"std in \[0, inf\], got -1"),
        (lambda: nn.initializers.uniform(1.0, 1.0), ValueError, r"high in \(1, inf\], got 1"),
        (lambda: nn.initializers.constant(float("inf")), ValueError, "finite value"),
        (
            lambda: nn.initializers.he.replace(fan="inn"),
            ValueError,
            "fan to be one of .* got 'inn'",
        ),
        (
            lambda: nn.initializers.he.replace(distribution="flat"),
            ValueError,
            "distribution to be one of",
        ),
        (lambda: nn.initializers.he.replace(gain=0.0), ValueError, r"gain in \(0, inf\]"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
