"""Derivatives from values: right to the error they report, and loud where there is none."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.check.numeric.differences import (
    numerical_directional,
    numerical_jvp,
    numerical_vjp,
    taylor_order,
)

BARE: Any = 1.0  # where a tuple is due
POINTS = np.random.default_rng(0).normal(size=60)
SMOOTH = {  # f, its derivative, the relative error that 9 of 10 points must be within
    "linear": (lambda x: 3 * x + 1, lambda x: 3 + 0 * x, 1e-12),
    "cubic": (lambda x: x**3, lambda x: 3 * x**2, 1e-10),
    "exp": (np.exp, np.exp, 1e-9),
    "log": (lambda x: np.log(np.abs(x)), lambda x: 1 / x, 1e-9),
    "fast": (lambda x: np.sin(30 * x), lambda x: 30 * np.cos(30 * x), 1e-8),
    "very fast": (lambda x: np.sin(1e4 * x), lambda x: 1e4 * np.cos(1e4 * x), 1e-3),
    "two scales": (
        lambda x: x + 1e-6 * np.sin(1e5 * x),
        lambda x: 1 + 0.1 * np.cos(1e5 * x),
        1e-3,
    ),
    "large offset": (lambda x: x * x + 1e6, lambda x: 2 * x, 1e-5),
    "relu": (lambda x: np.maximum(x, 0), lambda x: float(x > 0), 1e-12),
    "kink nearby": (lambda x: np.abs(x - 0.5), lambda x: np.sign(x - 0.5), 1e-9),
    "saturated": (
        lambda x: np.tanh(800 * x),
        lambda x: 800 / np.cosh(min(abs(800 * x), 300)) ** 2,
        1e-3,
    ),
    "in float32": (lambda x: np.sin(np.float32(x)), np.cos, 1e-2),
    "in float16": (lambda x: np.sin(np.float64(np.float16(x))), np.cos, 2.0),
}
NO_DERIVATIVE = {
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0),
    "leaky": lambda x: np.where(x > 0, x, 0.9 * x),
    "cusp": lambda x: np.sqrt(np.abs(x)),
    "jump": np.sign,
    "jump aside": lambda x: np.where(x > 0, 1.0, 0.0),
    "edge of the domain": np.sqrt,
    "pole": lambda x: 1 / x,
    "noise": lambda x: np.sin(1e12 * np.exp(x)),
    "nan": lambda x: np.nan * x,
}


def mlp(params, x, labels):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    z = jax.nn.log_softmax(x @ w + b)
    return -jnp.take_along_axis(z, labels[:, None], axis=-1).mean()


def network(seed=0):
    """(params, x, labels), and a direction in which params and x move."""
    rng = np.random.default_rng(seed)
    params = [
        (rng.normal(size=(n, m)) / np.sqrt(n), 0.1 * rng.normal(size=m))
        for n, m in [(6, 5), (5, 3)]
    ]
    args = params, rng.normal(size=(8, 6)), np.arange(8) % 3
    v = jax.tree.map(lambda a: rng.normal(size=a.shape), args[:2])
    return args, (*v, None)


@pytest.fixture
def loss():
    """Compiled once: differences call it nineteen times for a number."""
    return jax.jit(mlp)


@pytest.mark.parametrize("name", SMOOTH)
def test_the_value_is_within_the_error_it_reports(name):
    f, derivative, accuracy = SMOOTH[name]
    estimates = [numerical_directional(f, (x,), (1.0,), 1.0) for x in POINTS]
    off = np.array([abs(e.value - derivative(x)) for e, x in zip(estimates, POINTS, strict=True)])
    error = np.array([e.error for e in estimates])
    assert (off <= error).mean() >= 0.95
    assert (off <= 10 * error).all()
    size = np.maximum(np.abs([derivative(x) for x in POINTS]), 1e-6)
    assert np.quantile(error / size, 0.9) <= accuracy


@pytest.mark.parametrize("name", NO_DERIVATIVE)
def test_the_error_is_as_large_as_the_value_where_there_is_no_derivative(name):
    f = NO_DERIVATIVE[name]
    estimate = numerical_directional(f, (0.0,), (1.0,), 1.0)
    assert estimate.error > 0.09  # the jump of the slope, 0.1 for `leaky`
    assert not estimate.error < 0.1 * abs(estimate.value)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_a_kink_is_seen_whatever_the_scale_and_the_rest_of_the_function(scale):
    def f(x):
        return np.sum(np.maximum(x - scale, 0) + x * x / scale)

    estimate = numerical_directional(f, (np.full(3, scale),), (np.ones(3),), 1.0)
    assert estimate.error >= 1.0


@pytest.mark.usefixtures("x64")
def test_a_network_along_a_direction(loss):
    args, tangents = network()
    estimate = numerical_directional(loss, args, tangents, 1.0)
    float0 = np.zeros(8, jax.dtypes.float0)
    right = jax.jvp(loss, args, (*tangents[:2], float0))[1]
    assert abs(estimate.value - right) <= estimate.error <= 1e-8 * abs(right)
    again = numerical_jvp(loss, args, tangents)
    assert abs(again.value - right) <= again.error
    assert again.value.shape == ()


def test_needs_no_x64_from_the_caller_and_leaves_it_alone(loss):
    args, tangents = network()
    low = jax.tree.map(jnp.asarray, args)
    estimate = numerical_directional(loss, low, tangents, 1.0)
    assert estimate.error < 1e-8 * abs(estimate.value)
    assert jnp.zeros(3).dtype == jnp.float32


def test_trees_in_and_out_and_what_does_not_move():
    x = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0]]), "n": np.arange(2), "none": None}

    def f(x, k):
        return {"y": x["a"] * x["b"], "count": x["n"] + k, "none": None}

    tangents = {"a": np.array([1.0, -1.0]), "b": None, "n": np.zeros(2), "none": None}
    value, error = numerical_jvp(f, (x, 5), (tangents, None))
    np.testing.assert_allclose(value["y"], [[3.0, -3.0]], rtol=1e-12)
    assert value["count"] is None
    assert isinstance(error["y"], float)
    assert error["y"] < 1e-10
    cotangent = {"y": np.array([[1.0, 2.0]]), "count": None, "none": None}
    value = numerical_directional(f, (x, 5), (tangents, None), cotangent).value
    assert value == pytest.approx(-3.0, rel=1e-12)
    value, error = numerical_vjp(f, (x, 5), cotangent)
    np.testing.assert_allclose(value[0]["a"], [3.0, 6.0], rtol=1e-12)
    np.testing.assert_allclose(value[0]["b"], [[5.0]], rtol=1e-12)
    assert value[0]["n"] is None
    assert value[1] is None
    assert error[0]["a"].shape == (2,)


def test_arguments_keep_their_kind_and_are_not_written_to():
    kinds = []

    def f(x, z):
        kinds.append((type(x), x.dtype, isinstance(z, jax.Array), z.dtype))
        x += 1.0
        return x.sum() + z.sum()

    x = np.ones(3, np.float32)
    numerical_directional(f, (x, jnp.ones(3, jnp.bfloat16)), (None, np.ones(3)), 1.0)
    assert set(kinds) == {(np.ndarray, np.dtype("float64"), True, np.dtype("float64"))}
    assert (x == 1).all()


def test_an_output_buffer_that_is_used_again_is_no_trap():
    y = np.zeros(3)
    value, _ = numerical_jvp(lambda x: np.multiply(x, x, out=y), (np.ones(3),), (np.ones(3),))
    np.testing.assert_allclose(value, 2.0, rtol=1e-10)


def weighted(a, b):
    return np.sum(np.log(a) * b)


def test_steps_follow_the_size_of_what_moves():
    for size in (1e-12, 1e12):
        estimate = numerical_directional(
            lambda x: np.sum(np.log(x)), (np.full(2, size),), (np.ones(2),), 1.0
        )
        assert estimate.value == pytest.approx(2 / size, rel=1e-9)
        assert estimate.error < 1e-8 / size
    tiny_beside_large = (np.full(3, 1e-5), np.full(3, 10.0))
    estimate = numerical_directional(
        weighted, tiny_beside_large, (1e-5 * np.ones(3), np.ones(3)), 1.0
    )
    assert estimate.value == pytest.approx(30 + 3 * np.log(1e-5), rel=1e-8)


def test_zero_directions_and_constants_give_zero():
    zero = numerical_directional(np.sin, (1.0,), (0.0,), 1.0)
    assert zero.value == 0.0
    constant = numerical_jvp(lambda x: np.full(3, 5.0) + 0 * x, (1.0,), (1.0,))
    assert (constant.value == 0).all()
    assert constant.error < 1e-11


def test_the_gradient_of_a_wrong_sign_or_factor_is_told_apart(loss):
    args, tangents = network()
    estimate = numerical_directional(loss, args, tangents, 1.0)
    for wrong in (-1.0, 0.999, 1.00001):
        assert abs(wrong * estimate.value - estimate.value) > 1000 * estimate.error


@pytest.mark.usefixtures("x64")
def test_vjp_entry_by_entry(loss):
    (params, x, labels), _ = network()
    bias = params[0][1]

    def f(b):
        return loss([(params[0][0], b), params[1]], x, labels)

    (value,), (error,) = numerical_vjp(f, (bias,), 2.0)
    right = 2 * jax.grad(f)(bias)
    assert (np.abs(value - right) <= error).all()
    assert (error < 1e-8 * np.linalg.norm(right)).all()
    with pytest.raises(ValueError, match=r"at most 4 entries in args, got 5, which.* 95 forward"):
        numerical_vjp(f, (bias,), 2.0, limit=4)


@pytest.mark.parametrize("wrong", [1.0, 1.001, -1.0, 0.0])
@pytest.mark.usefixtures("x64")
def test_taylor_order(loss, wrong):
    args, tangents = network()
    gradient = jax.grad(loss, argnums=(0, 1))(*args)
    gradient = jax.tree.map(lambda g: wrong * np.asarray(g), gradient)
    order = taylor_order(loss, (*gradient, None), args, tangents)
    assert order.value == pytest.approx(2.0 if wrong == 1.0 else 1.0, abs=5e-3)
    assert order.error < 0.1


def test_taylor_order_of_linear_quadratic_and_kinked_functions():
    def order(f, g, x=1.0):
        return taylor_order(f, (g,), (x,), (1.0,)).value

    assert order(lambda x: 3 * x, 3.0) == np.inf
    assert order(lambda x: 3 * x, 3.0001) == pytest.approx(1.0, abs=1e-6)
    assert order(lambda x: x * x, 2.0) == pytest.approx(2.0, abs=1e-6)
    assert order(lambda x: x**3 - 3 * x**2 + 3 * x, 0.0) == pytest.approx(3.0, abs=1e-6)
    assert order(lambda x: 0 * x, 0.0) == np.inf
    assert order(np.abs, 0.0, 0.0) == pytest.approx(1.0, abs=1e-6)
    assert order(np.abs, 1.0, 1.0) == np.inf
    # by steps that are large beside the noise of float32, so terms of the third order show
    assert order(lambda x: np.sin(np.float32(x)), np.cos(1.0)) == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: numerical_jvp(np.sin, BARE, (1.0,)), TypeError, r"write \(x,\)"),
        (lambda: numerical_jvp(np.sin, (1.0,), BARE), ValueError, "tangents: expected a tree like"),
        (
            lambda: numerical_jvp(np.sin, (np.ones(3),), (np.ones(2),)),
            ValueError,
            r"tangents: expected shape \(3,\) at leaf 0 as in args, got \(2,\)",
        ),
        (
            lambda: numerical_directional(np.sin, (np.ones(3),), (np.ones(3),), 1.0),
            ValueError,
            r"cotangent: expected shape \(3,\) at leaf 0 as in the output",
        ),
        (lambda: numerical_jvp(np.sin, (1j,), (1.0,)), TypeError, "expected real numbers"),
        (lambda: numerical_jvp(lambda x: x * 1j, (1.0,), (1.0,)), TypeError, "output: expected"),
        (
            lambda: taylor_order(np.sin, (np.ones(2),), (np.ones(2),), (np.ones(2),)),
            ValueError,
            "scalar",
        ),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
