"""The complex step: every operation it lets through against autodiff, and those it must refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxprs_in_params

from jaxnn.check.numeric import complex_numpy, complex_rules
from jaxnn.check.numeric.complex_step import NotAnalytic, complex_step_jvp
from jaxnn.check.numeric.differences import numerical_jvp

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4))  # of both signs, without ties
V = RNG.normal(size=(3, 4))
EVERY_RULE = {
    "arithmetic": lambda x: -(x + 2 * x - x * x) / (3 + x),
    "add_any": lambda x: jax.vjp(lambda z: z * z, x)[1](x)[0],
    "exp": lambda x: jnp.exp(x) + jnp.exp2(x) + jnp.expm1(x),
    "log": lambda x: jnp.log(2 + jnp.tanh(x)) + jnp.log1p(jnp.tanh(x)),
    "logistic": jax.nn.sigmoid,
    "logistic far out": lambda x: jax.nn.sigmoid(x - 40),
    "roots": lambda x: jnp.sqrt(jnp.exp(x)) + lax.rsqrt(jnp.exp(x)) + jnp.square(x),
    "integer_pow": lambda x: x**3 + x**-2 + x**7,
    "pow": lambda x: jnp.exp(x) ** 2.5 + 1.5**x + jnp.exp(x) ** jnp.arange(4.0),
    "trigonometry": lambda x: jnp.sin(x) + jnp.cos(x) + jnp.tan(x),
    "hyperbolic": lambda x: jnp.sinh(x) + jnp.cosh(x) + jnp.tanh(x),
    "inverse": lambda x: jnp.asin(x / 9) + jnp.acos(x / 9) + jnp.atan(x),
    "inverse hyperbolic": lambda x: jnp.asinh(x) + jnp.acosh(2 + x * x) + jnp.atanh(x / 9),
    "products": lambda x: x.prod(0) + jnp.cumprod(x, 0),
    "sums": lambda x: x.sum(0) + jnp.cumsum(x, 1) + x.mean(),
    "window sum": lambda x: lax.reduce_window(x, 0.0, lax.add, (2, 2), (1, 2), "SAME"),
    "shapes": lambda x: jnp.broadcast_to(x.T.reshape(2, 6)[::-1, 1:4:2], (3, 2, 2)),
    "joined": lambda x: jnp.pad(jnp.concatenate([x, x[:1] ** 2]), 1),
    "split": lambda x: jnp.squeeze(jnp.split(x, 3)[1]) * 2,
    "copy": lambda x: jnp.copy(x) ** 2,
    "indexing": lambda x: x[np.array([2, 0, 2])] * x[:, np.array([1])],
    "dynamic": lambda x: lax.dynamic_update_slice(x, lax.dynamic_slice(x, (1, 1), (2, 2)), (0, 2)),
    "scatter": lambda x: x.at[np.array([0, 0])].add(x[1:] ** 2).at[2].set(x[0]),
    "matmul": lambda x: x @ x.T @ np.ones((3, 2)),
    "convolution": lambda x: jnp.convolve(x[0], x[1]),
    "max and min": lambda x: jnp.maximum(x, 0.1) * jnp.minimum(x, x.mean()),
    "clamp": lambda x: lax.clamp(-0.5, x, 0.5) * x,
    "abs and sign": lambda x: jnp.abs(x) + jnp.sign(x) * x**2,
    "where": lambda x: jnp.where((x > 0) & (x < 1) | (x >= 2) | (x <= -1), x, 2 * x),
    "equal": lambda x: jnp.where((x == 3) | jnp.isnan(x) | ~jnp.isfinite(x), 0.0, x * x),
    "rounding": lambda x: x * (jnp.floor(x) + jnp.ceil(3 * x) + jnp.round(x)),
    "extremes": lambda x: x.max(0) * x.min() + jnp.take(x, x.argmax(0) + x.argmin(0)),
    "sort": lambda x: jnp.sort(x, 0) * np.arange(4.0) + x[0][jnp.argsort(x[1])],
    "conversion": lambda x: x * x.astype(int).astype(x.dtype) + x * (x > 0).astype(float),
    "stop_gradient": jax.nn.softmax,
}
FUNCTIONS = {  # whose complex counterpart in JAX or numpy means something else
    "var": jnp.var,
    "std": lambda x: x.std(0),
    "norm": jnp.linalg.norm,
    "vdot": lambda x: jnp.vdot(x, x),
    "softplus": jax.nn.softplus,
    "logsumexp": jax.nn.logsumexp,
    "huber": lambda x: jnp.where(jnp.abs(x) < 1, 0.5 * x * x, jnp.abs(x) - 0.5),
    "relu": jax.nn.relu,
    "masked softmax": lambda x: jax.nn.softmax(jnp.where(np.arange(4) < 3, x, -jnp.inf)),
    "scan": lambda x: lax.scan(lambda c, a: (jnp.tanh(c * a), c * a), x[0], x, reverse=True),
    "fori": lambda x: lax.fori_loop(0, 3, lambda i, c: c * jnp.sin(c), x),
    "while": lambda x: lax.while_loop(lambda c: c.sum() < 99, lambda c: 2 * c, jnp.abs(x)),
    "cond": lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x),
    "remat of vmap": jax.checkpoint(jax.vmap(lambda row: row @ row)),
    "jit": jax.jit(lambda x: jnp.outer(x[0], jax.nn.silu(x[1]))),
}
REFUSED = {
    "cholesky": lambda x: jnp.linalg.cholesky(x @ x.T + 9 * jnp.eye(3)),
    "erf": jax.scipy.special.erf,
    "erfc": lambda x: jax.nn.gelu(x, approximate=False),
    "lgamma": lambda x: jax.scipy.special.gammaln(x + 9),
    "atan2": lambda x: jnp.arctan2(x, 1 + x),
    "rem": lambda x: jnp.mod(x, 0.7),
    "pow of a base <= 0": lambda x: x ** jnp.arange(4.0),
    "cummax": lambda x: lax.cummax(x, 0),
    "top_k": lambda x: lax.top_k(x, 2)[0],
    "reduce_window_max": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (2, 2), (1, 1), "SAME"),
    "lu": lambda x: jnp.linalg.solve(x[:, :3], x[:, 3]),
    "convert.*|a conversion to complex128": lambda x: jnp.fft.fft(x).real,
    "a conversion to bfloat16": lambda x: x.astype(jnp.bfloat16).astype(x.dtype),
    "pure_callback": lambda x: jax.pure_callback(np.sin, x, x),
    "sort by several keys": lambda x: lax.sort((x[0], x[1]), num_keys=2)[1],
}
pytestmark = pytest.mark.usefixtures("x64")


def by_autodiff(functions):
    """The derivatives of all along V, in one program: each of its own would take longer."""

    @jax.jit
    def run(x, v):
        return [jax.jvp(f, (x,), (v,))[1] for f in functions.values()]

    with jax.enable_x64(True):
        return dict(zip(functions, run(jnp.asarray(X), jnp.asarray(V)), strict=True))


@pytest.fixture(scope="module")
def derivatives():
    return by_autodiff(EVERY_RULE | FUNCTIONS)


@pytest.mark.parametrize("name", EVERY_RULE | FUNCTIONS)
def test_agrees_with_autodiff_to_rounding(name, derivatives):
    estimate = complex_step_jvp((EVERY_RULE | FUNCTIONS)[name], (jnp.asarray(X),), (V,))
    values, errors = jax.tree.leaves(estimate.value), jax.tree.leaves(estimate.error)
    for value, error, r in zip(values, errors, jax.tree.leaves(derivatives[name]), strict=True):
        assert np.linalg.norm(value - r) <= 2 * error  # autodiff rounds too
        assert error < 1e-12 * np.linalg.norm(r)


def test_the_table_leaves_no_rule_out():
    met = set()

    def visit(jaxpr):
        for eqn in jaxpr.eqns:
            met.add(eqn.primitive.name)
            for inner in jaxprs_in_params(eqn.params):
                visit(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)

    for f in EVERY_RULE.values():
        visit(jax.make_jaxpr(f)(X).jaxpr)
    assert set(complex_rules.RULES) - met == set()


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_by_name_what_it_does_not_know(name):
    with pytest.raises(NotAnalytic, match=rf"got ({name}).*numerical_jvp"):
        complex_step_jvp(REFUSED[name], (jnp.asarray(X),), (V,))


def numpy_functions(np):
    """Each takes x (3, 4); `np` is numpy or jax.numpy."""
    return {
        "arithmetic": lambda x: np.reciprocal(3 + x) / 2 - np.negative(x) * np.square(x),
        "exp": lambda x: np.exp(x) + np.exp2(x) * np.expm1(x),
        "log": lambda x: np.log(9 + x) + np.log2(9 + x) + np.log10(9 + x) + np.log1p(9 + x),
        "trigonometry": lambda x: np.sin(x) + np.cos(x) + np.tan(x) + np.sqrt(9 + x),
        "hyperbolic": lambda x: np.sinh(x) + np.cosh(x) + np.tanh(x),
        "inverse": lambda x: np.arcsin(x / 9) + np.arccos(x / 9) + np.arctan(x),
        "inverse hyperbolic": lambda x: np.arcsinh(x) + np.arccosh(9 + x) + np.arctanh(x / 9),
        "power": lambda x: np.power(x, 3) + np.power(9 + x, 2.5) + x**-2,
        "max": lambda x: np.maximum(x, 0.1) * np.minimum(x, 0.2) + np.max(x, 0) * np.min(x),
        "where": lambda x: np.where((x > 0) & (x < 1) | (x >= 2) | (x <= -1), x, 2 * x),
        "equal": lambda x: np.where((x == 3) | ~(x != 3) | np.isnan(x) | ~np.isfinite(x), 0, x * x),
        "sums": lambda x: np.sum(x, 0) * np.mean(x) + np.cumsum(x, 0) + x.mean(0) + x.sum(),
        "products": lambda x: np.prod(x, 0) * np.cumprod(x, 1),
        "inner": lambda x: np.dot(x, x.T) + np.inner(x, x) + x @ x.T + np.trace(x[:, :3]),
        "outer": lambda x: np.outer(x, x) + np.tensordot(x.ravel(), x.ravel(), 0),
        "einsum": lambda x: np.einsum("ij,kj->ik", x, x),
        "shapes": lambda x: np.swapaxes(np.reshape(x, (2, 6)), 0, 1) + np.ravel(x)[:2],
        "axes": lambda x: np.squeeze(np.moveaxis(np.expand_dims(np.transpose(x), 0), 0, 2)),
        "joined": lambda x: np.vstack([np.concatenate([x, x]), x]).T @ np.hstack([x.T, x.T, x.T]).T,
        "stacked": lambda x: np.stack([x, np.flip(x, 0), np.roll(x, 1), np.copy(x)]) ** 2,
        "pieces": lambda x: np.split(x, 3)[1] * np.tile(x[0], 2)[:4] * np.repeat(x[0], 2)[:4],
        "padded": lambda x: np.pad(x, 1) + np.broadcast_to(x[0, 0], (5, 6)),
        "taken": lambda x: np.take(x, np.array([0, 2]), 0) * x[np.argmax(x[:, 0])],
        "sorted": lambda x: np.sort(x, 0) * np.take_along_axis(x, np.argsort(x, 0), 0),
        "diagonals": lambda x: np.diag(x) * np.diagonal(x) + np.tril(x)[:, 0] + np.triu(x)[0, :3],
        "likes": lambda x: np.zeros_like(x) + np.ones_like(x) * np.full_like(x, 2.0) * x,
        "sizes": lambda x: x[np.argmin(x[:, 0])] * np.size(x) * np.ndim(x) * np.shape(x)[0],
        "difference": lambda x: np.diff(x) ** 2,
        "inverse matrix": lambda x: np.linalg.inv(x[:, :3]) * np.linalg.det(x[:, :3]),
        "solve": lambda x: np.linalg.solve(x[:, :3], x[:, 3]),
    }


def opaque(f):
    """f in a form that JAX cannot trace: numpy alone sees its operations."""

    def run(x):
        assert isinstance(x, np.ndarray)
        return f(x)

    return run


@pytest.fixture(scope="module")
def numpy_derivatives():
    return by_autodiff(numpy_functions(jnp))


@pytest.mark.parametrize("name", numpy_functions(np))
def test_numpy_functions_agree_with_autodiff(name, numpy_derivatives):
    estimate = complex_step_jvp(opaque(numpy_functions(np)[name]), (X,), (V,))
    right = numpy_derivatives[name]
    assert np.linalg.norm(estimate.value - right) <= 2 * estimate.error
    assert estimate.error < 1e-12 * np.linalg.norm(right)


def test_the_numpy_table_leaves_no_name_out():
    code = {name for f in numpy_functions(np).values() for name in f.__code__.co_names}
    operators = {"add", "subtract", "multiply", "divide", "matmul", "greater", "greater_equal"}
    operators |= {"less", "less_equal", "equal", "not_equal"}
    assert complex_numpy.UFUNCS - operators - code == set()
    assert complex_numpy.FUNCTIONS - code - {"empty_like"} == set()


def in_place(x):
    y = np.empty_like(x)
    y[0], y[1:] = x[1], x[:2] * 2
    y *= 3
    return np.add(y, x, out=y)


def test_numpy_code_that_writes_in_place_and_loops():
    np.testing.assert_allclose(
        complex_step_jvp(in_place, (X,), (V,)).value,
        numerical_jvp(in_place, (X,), (V,)).value,
        rtol=1e-9,
    )
    loop = opaque(lambda x: sum(a * a for row in x for a in row))
    assert complex_step_jvp(loop, (X,), (V,)).value == pytest.approx(2 * np.vdot(X, V), rel=1e-14)


@pytest.mark.parametrize(
    ("name", "f"),
    [
        ("numpy.absolute", np.abs),
        ("numpy.absolute", lambda x: sum(abs(a) for row in x for a in row)),
        ("numpy.norm", np.linalg.norm),
        ("numpy.var", np.var),
        (".std", lambda x: x.std()),
        (".real", lambda x: x.real),
        ("numpy.real", np.real),
        (".conj", lambda x: x.conj() * x),
        ("numpy.vdot", lambda x: np.vdot(x, x)),
        ("numpy.sign", np.sign),
        ("numpy.logaddexp", lambda x: np.logaddexp(x, 0)),
        ("numpy.clip", lambda x: np.clip(x, -1, 1)),
        ("numpy.power of a base <= 0", lambda x: np.power(x, 2.5)),
        ("a step that wants real numbers", lambda x: x * float(x[0, 0])),
        ("a step that wants real numbers", lambda x: np.add(x, 0, out=np.zeros((3, 4)))),
        ("a value|one that is .* away", lambda x: np.abs(np.asarray(x)).sum()),
    ],
)
def test_refuses_numpy_operations_by_name(name, f):
    with pytest.raises(NotAnalytic, match=name):
        complex_step_jvp(opaque(f), (X,), (V,))


def test_assignment_into_an_array_of_floats_is_refused():
    def f(x):
        y = np.zeros((3, 4))
        y[:] = x
        return y

    with pytest.raises(NotAnalytic, match="discards the imaginary part"):
        complex_step_jvp(f, (X,), (V,))


@pytest.mark.parametrize(
    "wrong", [lambda eqn, x: [lax.complex(jnp.abs(x), jnp.imag(x))], lambda eqn, x: [x]]
)
def test_a_wrong_rule_in_the_table_is_caught(monkeypatch, wrong):
    monkeypatch.setitem(complex_rules.RULES, "abs", wrong)
    with pytest.raises(NotAnalytic, match="away"):
        complex_step_jvp(jnp.abs, (X,), (V,))


def test_a_wrong_name_in_the_numpy_table_is_caught(monkeypatch):
    monkeypatch.setattr(complex_numpy, "UFUNCS", complex_numpy.UFUNCS | {"absolute"})
    with pytest.raises(NotAnalytic, match="away"):
        complex_step_jvp(opaque(np.abs), (X,), (V,))


def test_right_at_a_kink_it_refuses():
    with pytest.raises(NotAnalytic, match="settle"):
        complex_step_jvp(jax.nn.relu, (np.zeros(3),), (np.ones(3),))


def test_trees_integers_and_arguments_that_stay():
    def f(params, table, x):
        return {"y": params["w"] @ x[table], "count": table.sum()}

    params, x, table = {"w": X[:2]}, X.ravel(), np.array([0, 5, 5, 1])
    estimate = complex_step_jvp(f, (params, table, x), ({"w": V[:2]}, None, None))
    assert estimate.value["count"] is None
    np.testing.assert_allclose(estimate.value["y"], V[:2] @ x[table], rtol=1e-14)
