"""Sensitivity: which planted mistakes a test lets through, for tests of known strictness."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.check import check_grad
from jaxnn.check.planting.mutants import Call, mutants
from jaxnn.check.planting.sensitivity_of import Sensitivity, differ, sensitivity

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


PARAMS = {"b": normal(5), "c": normal(5), "w": normal(5, 5)}
X, Y = normal(7, 5), normal(7, 5)


def loss(params, x, y):
    """A mean over the batch of 0.5 |tanh(x w + b) + c - y|^2."""
    outputs = np.tanh(x @ params["w"] + params["b"]) + params["c"]
    return 0.5 * ((outputs - y) ** 2).sum() / len(x)


def gradient(params, x, y):
    h = np.tanh(x @ params["w"] + params["b"])
    dc = (h + params["c"] - y) / x.shape[0]
    db = dc * (1 - h * h)
    return {"b": db.sum(0), "c": dc.sum(0), "w": x.T @ db}


RIGHT = gradient(PARAMS, X, Y)


def close(rtol, atol=0.0):
    """The test that people write."""

    def check(f):
        found = f(PARAMS, X, Y)
        for name, right in RIGHT.items():
            np.testing.assert_allclose(found[name], right, rtol, atol)

    return check


def strict(f):
    """One that looks at types and shapes as well, and returns its verdict."""
    found = f(PARAMS, X, Y)
    same = lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype) and np.allclose(a, b, 1e-4, 0)  # noqa: E731
    return jax.tree.structure(found) == jax.tree.structure(RIGHT) and jax.tree.all(
        jax.tree.map(same, found, RIGHT)
    )


def names(found: Sensitivity) -> list[str]:
    return [str(mutant) for mutant in found.survived]


def test_a_loose_test_lets_small_mistakes_through():
    found = sensitivity(close(3e-2, 1e-2), gradient)
    assert names(found) == [
        "1% too large",
        "rounded to bfloat16",
        "of another dtype, in ['w']",
        "1e-3 times the parameters added",
    ]
    assert not found.ok
    text = str(found)
    assert text.startswith("your check lets 4 of 18 mistakes through:\n  1% too large\n")
    assert "caught (14): of the opposite sign; zero, in ['b'];" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_test_of_shapes_sees_shapes_alone():
    def check(f):
        return jax.tree.map(np.shape, f(PARAMS, X, Y)) == jax.tree.map(np.shape, RIGHT)

    caught = [mutant.name for mutant in sensitivity(check, gradient).caught]
    assert caught == ["with an axis too many", "left out (None)"]


def test_a_strict_test_catches_everything_in_every_leaf():
    found = sensitivity(strict, gradient, every_leaf=True)
    assert found.ok
    assert str(found).startswith(f"your check catches all {len(found.caught)} mistakes")
    assert {m.leaf for m in found.caught if m.name == "last row zero"} == {
        "['b']",
        "['c']",
        "['w']",
    }
    assert found.not_applicable == ()


def test_check_grad_catches_everything():
    options = {"level": "quick", "oracle": "differences", "dtypes": ("float32",), "probes": 5}
    found = sensitivity(lambda f: check_grad(loss, f, PARAMS, X, Y, **options), gradient)
    assert found.ok, str(found)
    assert len(found.caught) == 18


def test_under_jit_what_changes_nothing_is_no_survivor():
    def traced(params, x):
        return {"b": 0 * params["b"], "w": x}

    def check(f):
        found = jax.jit(f)({"b": Y, "w": X[0]}, X[0])
        assert jnp.allclose(found["w"][:3], X[0, :3], 1e-5, 0)
        assert found["b"].shape == Y.shape

    found = sensitivity(check, traced)
    assert "zero, in ['b']: it changes nothing in this check" in found.not_applicable
    assert "one entry NaN, in ['b']" in names(found)
    assert {"1% too large", "zero, in ['w']"} <= {str(m) for m in found.caught}


def product_backward(residuals, dy):
    x, y = residuals
    return dy * y, dy * x


def test_a_rule_tested_at_a_cotangent_of_ones():
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def check(backward):
        f = jax.custom_vjp(lambda x, y: x * y)
        f.defvjp(lambda x, y: (x * y, (x, y)), backward)
        dx, dy = jax.vjp(f, x, y)[1](jnp.ones_like(x))
        return (dx == y).all() and (dy == x).all()

    found = sensitivity(check, product_backward, cotangent=True)
    assert found.ok
    assert "the cotangent taken for ones: it changes nothing in this check" in found.not_applicable
    assert "transposed: no square leaf" in found.not_applicable
    assert "only the first row of the cotangent counts" in map(str, found.caught)


def test_a_failure_of_pytest_is_a_catch():
    def check(f):
        if differ(f(PARAMS, X, Y), RIGHT):
            pytest.fail("another gradient")

    assert sensitivity(check, gradient).ok


def test_a_check_that_is_no_test_is_refused():
    with pytest.raises(ValueError, match="never called the function it was given"):
        sensitivity(lambda f: gradient(PARAMS, X, Y) is not None, gradient)
    with pytest.raises(ValueError, match=r"never called .*; it raised ZeroDivisionError"):
        sensitivity(lambda f: 1 / 0, gradient)
    with pytest.raises(ValueError, match=r"passes on the backward pass as it is.* returned False"):
        sensitivity(lambda f: strict(lambda *a: jax.tree.map(np.negative, f(*a))), gradient)
    with pytest.raises(ValueError, match=r"raised AssertionError.*mend either") as caught:
        sensitivity(close(0.0), lambda *a: jax.tree.map(lambda g: 2 * g, gradient(*a)))
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_mistake_that_cannot_be_made_is_not_counted_as_caught():
    def picky(params, x, y):
        if (x == x[0]).all():
            raise ValueError("one example only")
        return gradient(params, x, y)

    (reason,) = sensitivity(strict, picky).not_applicable
    assert reason.startswith("only the first example counts: the check raised ValueError: one")


class Pair(NamedTuple):
    left: object
    right: object


TREES = {
    "an array": normal(3, 3),
    "a number": 1.3,
    "a tuple with None": (None, [normal(2, 3), normal(2, 3)]),
    "a tree of objects": Pair({"a": normal(4)}, Pair(np.arange(3), normal(4))),
    "an empty leaf": {"e": normal(0, 3), "w": normal(2)},
}


@pytest.mark.usefixtures("x64")  # where both have a float64 to turn float32 into
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_a_mistake_is_the_same_traced_and_in_numpy(tree):
    args = (tree, X)
    call = Call(lambda p, x: jax.tree.map(lambda g: g + g, p), args, {})
    planted, _ = mutants(jax.tree.map(np.asarray, tree), call, False, True)
    assert len(planted) > 5
    for mutant in planted:
        ours = mutant.plant(tree, call)
        jitted = jax.jit(lambda tree, x, m=mutant: m.plant(tree, call._replace(args=(tree, x))))
        theirs = jitted(tree, X)
        assert jax.tree.structure(ours) == jax.tree.structure(theirs)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-6), ours, theirs)
        assert differ(tree, ours), mutant
    assert not differ(tree, tree)
    assert not jax.jit(differ)(tree, tree)


def test_what_each_mistake_is():
    g = np.arange(1.0, 10.0).reshape(3, 3)
    planted, missing = mutants(g, Call(lambda p: p, (g,), {}), False, False)
    made = {mutant.name: mutant.plant(g, Call(lambda p: p, (g,), {})) for mutant in planted}
    np.testing.assert_array_equal(made["transposed"], g.T)
    np.testing.assert_array_equal(made["one entry times 1.5"].flat[4], 7.5)
    np.testing.assert_array_equal(np.isnan(made["one entry NaN"]).sum(), 1)
    np.testing.assert_array_equal(made["last row zero"][1:], [[4, 5, 6], [0, 0, 0]])
    np.testing.assert_array_equal(made["last row that of the row before"][1:], [[4, 5, 6]] * 2)
    np.testing.assert_array_equal(made["rolled along the first axis"][0], g[2])
    np.testing.assert_allclose(made["1e-3 times the parameters added"], 1.001 * g, 1e-15)
    assert made["of another dtype"].dtype == np.float32
    assert made["with an axis too many"].shape == (1, 3, 3)
    assert made["left out (None)"] is None
    assert missing == [
        "exchanged: no two leaves of the same shape",
        "only the first example counts: no batch of several rows after the first argument",
    ]
