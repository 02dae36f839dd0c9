"""The checks of functions: what passes, what is caught, what is said, and what is no verdict."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import check
from jaxnn.check import (
    GradientError,
    assert_vjp,
    check_adjoint,
    check_custom_vjp,
    check_grad,
    check_second_order,
    check_vjp,
)

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(7, 5)), jnp.float32)
PARAMS = {"b": jnp.zeros(3), "w": jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)}


def loss(params, x):
    return (jnp.tanh(x @ params["w"] + params["b"]) ** 2).mean()


def gradients(params, x):
    a = jnp.tanh(x @ params["w"] + params["b"])
    delta = 2 * a / a.size * (1 - a * a)
    return {"b": delta.sum(0), "w": x.T @ delta}


def tanh_layer(x, w):
    return jnp.tanh(x @ w)


def tanh_backward(args, dy):
    x, w = args
    y = jnp.tanh(x @ w)
    delta = dy * (1 - y * y)
    return delta @ w.T, x.T @ delta


def test_a_right_gradient_passes_and_says_what_it_would_have_caught():
    report = check_grad(loss, gradients, PARAMS, X)
    assert report.ok
    assert report.dtypes == ("float64", "float32")
    for leaf in report.leaves:
        assert leaf.resolution < (1e-13 if leaf.dtype == "float64" else 1e-4), leaf
    assert "would have caught in float64: relative errors from" in str(report)


def test_a_wrong_gradient_is_named_with_place_numbers_and_cause():
    def wrong(params, x):
        g = gradients(params, x)
        return g | {"w": g["w"] * len(x)}

    report = check_grad(loss, wrong, PARAMS, X)
    assert report.verdict == "wrong"
    assert report.wrong == ("params['w']",)
    assert report.place == "params['w']"
    assert report.cause is not None
    assert report.cause.kind == "scale"
    assert "off by the factor 7" in report.cause.text
    text = str(report)
    assert "right    the value, params['b']" in text
    assert "check_grad(loss, wrong, params, x, seeds=(0,), dtypes=('float64',))" in text
    assert len(text.splitlines()) <= 40


def test_the_call_that_repeats_a_failure_repeats_it():
    def wrong(params, x):
        return jax.tree.map(lambda g: g.at[0].multiply(1.001), gradients(params, x))

    report = check_grad(loss, wrong, PARAMS, X)
    again = check_grad(loss, wrong, PARAMS, X, seeds=(0,), dtypes=("float64",))
    first = [leaf for leaf in report.leaves if (leaf.seed, leaf.dtype) == (0, "float64")]
    assert list(again.leaves) == first


def test_none_stands_for_zero_but_not_for_a_gradient():
    def forward(x, w):
        return jnp.tanh(x)

    def backward(args, dy):
        return dy * (1 - jnp.tanh(args[0]) ** 2), None

    assert check_vjp(forward, backward, (X, X)).ok
    report = check_vjp(forward, lambda args, dy: (None, None), (X, X))
    assert report.place == "x"
    assert report.cause is not None
    assert report.cause.kind == "zero"


def test_a_gradient_that_is_truly_zero_is_no_alarm_and_noise_in_it_is():
    def forward(x, b):
        z = x + b
        return z - z.mean(0)

    def backward(args, dy):
        dz = dy - dy.mean(0)
        return dz, dz.sum(0)

    b = jnp.ones(5)
    report = check_vjp(forward, backward, (X, b), seeds=10)
    assert report.ok
    assert all(leaf.vanishes for leaf in report.leaves if leaf.path == "b")
    assert "truly zero in float32" in str(report)
    wrong = check_vjp(forward, lambda args, dy: (backward(args, dy)[0], 1e-3 * dy[0]), (X, b))
    assert wrong.wrong == ("b",)


def test_numpy_code_is_judged_by_differences_or_by_the_complex_step():
    def forward(x, w):
        return np.tanh(x @ w)

    def backward(args, dy):
        x, w = args
        delta = dy * (1 - np.tanh(x @ w) ** 2)
        return delta @ w.T, x.T @ delta

    args = np.asarray(X), np.asarray(PARAMS["w"])
    for oracle in ("auto", "complex"):
        report = check_vjp(forward, backward, args, oracle=oracle)
        assert report.ok, report
        assert all(leaf.resolution < 1e-6 for leaf in report.leaves if leaf.dtype == "float64")
        wrong = check_vjp(forward, lambda a, dy: (backward(a, dy)[0], None), args, oracle=oracle)
        assert wrong.wrong == ("w",)


def test_differences_across_a_jump_are_inconclusive_and_inconclusive_is_not_ok():
    def forward(x):
        return np.where(np.sin(1e9 * x) > 0, x, x + 1)

    report = check_vjp(forward, lambda args, dy: (dy,), (np.asarray(X),))
    assert not report.ok
    assert any(f.verdict == "inconclusive" for f in report.findings)
    with pytest.raises(GradientError, match="did not converge"):
        assert_vjp(forward, lambda args, dy: (dy,), (np.asarray(X),))


@jax.custom_vjp
def cube(x, times):
    return x**3 * times.astype(x.dtype)


cube.defvjp(
    lambda x, times: (cube(x, times), (x, times)),
    lambda residuals, dy: (3 * residuals[0] ** 2 * residuals[1].astype(dy.dtype) * dy, None),
)


@jax.custom_vjp
def wrong_cube(x):
    return x**3


wrong_cube.defvjp(lambda x: (wrong_cube(x), x), lambda x, dy: (2 * x**2 * dy,))


def test_a_custom_rule_is_judged_by_its_primal_wherever_it_hides():
    times = jnp.asarray([2, 3, 2, 3, 2], jnp.int32)
    assert check_custom_vjp(cube, (X, times)).ok
    assert check_custom_vjp(jax.jit(cube), (X, times)).ok
    report = check_custom_vjp(wrong_cube, (X,))
    assert report.cause is not None
    assert report.cause.kind == "scale"
    hidden = jax.jit(lambda x: wrong_cube(jnp.sin(x)))
    assert not check_grad(lambda x: hidden(x).sum(), jax.grad(lambda x: hidden(x).sum()), X).ok


def test_a_custom_rule_in_a_loop_is_judged_by_differences():
    def looped(x):
        return jax.lax.fori_loop(0, 2, lambda i, x: wrong_cube(x), x).sum()

    report = check_grad(looped, jax.grad(looped), X)
    assert report.oracle == "central differences in float64"
    assert report.verdict == "wrong"


def test_an_adjoint_needs_no_reference():
    assert check_adjoint(jnp.cumsum, lambda y: jnp.cumsum(y[::-1])[::-1], X[0], X[0]).ok
    assert check_adjoint(jnp.cumsum, jnp.cumsum, X[0], X[0]).verdict == "wrong"
    assert check_adjoint(lambda x: x + 1, lambda y: y, X, X).verdict == "wrong"
    with pytest.raises(ValueError, match="expected J to map x_like to y_like"):
        check_adjoint(jnp.cumsum, jnp.cumsum, X[0], X)


def test_a_gradient_cut_off_from_autodiff_is_seen_at_the_second_order():
    def constant(params, x):
        return jax.lax.stop_gradient(gradients(params, x))

    assert check_grad(loss, constant, PARAMS, X).ok
    assert check_second_order(loss, gradients, PARAMS, X).ok
    report = check_second_order(loss, constant, PARAMS, X)
    assert report.cause is not None
    assert report.cause.kind == "zero"


def test_residuals_as_custom_vjp_has_them():
    def forward(x, w):
        y = tanh_layer(x, w)
        return y, (x, w, y)

    def backward(residuals, dy):
        x, w, y = residuals
        delta = dy * (1 - y * y)
        return delta @ w.T, x.T @ delta

    assert check_vjp(forward, backward, (X, PARAMS["w"]), residuals=True).ok


def test_a_toggle_says_with_what_the_error_vanishes():
    def forward(x, mask):
        return jnp.where(mask, x**2, 0)

    def backward(args, dy):
        return 2 * args[0] * dy, None

    mask = jnp.asarray(RNG.random((7, 5)) > 0.4)
    toggles = {"a full mask": lambda x, mask: (x, np.ones_like(mask))}
    report = check_vjp(forward, backward, (X, mask), toggles=toggles)
    assert report.cause is not None
    assert report.cause.kind == "mask"
    assert "the error vanishes with a full mask" in str(report)


def test_what_was_not_exercised_is_said():
    def forward(x, ids):
        return jax.nn.relu(x + 100)[ids]

    def backward(args, dy):
        return jnp.zeros_like(args[0]).at[args[1]].add(dy), None

    text = str(check_vjp(forward, backward, (X, jnp.arange(4))))
    assert "no index in ids is met twice" in text
    assert "only ever came out one way" in text


def test_low_precision_is_judged_by_its_own_noise():
    args = X.astype(jnp.bfloat16), PARAMS["w"].astype(jnp.bfloat16)
    report = check_vjp(tanh_layer, tanh_backward, args)
    assert report.ok
    assert report.dtypes == ("float64", "bfloat16")
    coarse = [leaf.resolution for leaf in report.leaves if leaf.dtype == "bfloat16"]
    assert 1e-3 < max(coarse) < 0.3
    wrong = check_vjp(tanh_layer, lambda a, dy: tanh_backward(a, -dy), args, dtypes=("given",))
    assert wrong.cause is not None
    assert wrong.cause.kind == "sign"


@pytest.mark.parametrize("shape", [(), (5,)])
def test_a_cotangent_is_of_the_kind_of_the_output(shape):
    def backward(args, dy):
        return (dy * 0.5 * jnp.ones_like(args[0]),)  # numpy makes float32 of bfloat16 * 0.5

    args = (jnp.ones(shape, jnp.bfloat16),)
    report = check_vjp(lambda x: x * 0.5, backward, args, dtypes=("bfloat16",))
    assert report.ok, report


def test_what_the_code_under_test_raises_is_a_finding():
    def backward(args, dy):
        raise KeyError("no such residual")

    report = check_vjp(tanh_layer, backward, (X, PARAMS["w"]))
    assert report.verdict == "wrong"
    assert "raised KeyError: 'no such residual'" in str(report)


def test_options_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match=r"no option 'seed'\. Did you mean 'seeds'"):
        check_grad(loss, gradients, PARAMS, X, seed=3)
    with pytest.raises(ValueError, match="level: expected one of quick, full, exhaustive"):
        check_grad(loss, gradients, PARAMS, X, level="fast")
    with pytest.raises(ValueError, match="checks: expected one of value"):
        check_grad(loss, gradients, PARAMS, X, checks=("values",))
    with pytest.raises(ValueError, match=r'expected floating dtypes or "given"'):
        check_grad(loss, gradients, PARAMS, X, dtypes=("int32",))


def test_a_report_is_plain_data_and_can_be_saved(tmp_path):
    report = check_grad(loss, lambda p, x: jax.tree.map(jnp.zeros_like, p), PARAMS, X)
    case = report.save(tmp_path / "cases", "zero")
    found = json.loads((tmp_path / "cases" / "zero.json").read_text())
    assert found["verdict"] == "wrong"
    assert found["cause"]["kind"] == "zero"
    assert len(found["leaves"]) == 3 * len(report.dtypes) * len(report.seeds)
    with np.load(case) as arrays:
        assert arrays["args/1"].shape == (5, 3)


def test_help_says_what_every_public_name_does():
    for name in check.__all__:
        value = getattr(check, name)
        assert value.__name__ == name
        assert len(value.__doc__) > 60, name
        assert not value.__doc__.startswith(f"{name}("), name  # what a tuple says of itself
        assert ("Raises GradientError" in value.__doc__) == name.startswith("assert_")
        if name.startswith(("assert_", "check_")):
            assert "options: those of `jaxnn.check.options.Options`" in value.__doc__
