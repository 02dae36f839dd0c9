"""Several at once: outputs, leaves, draws, faults. What is said of one is said of the right one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.check import Estimate, Finding, Leaf, Report, check_vjp
from jaxnn.check.options import read_options
from jaxnn.check.problem import Problem
from jaxnn.check.reference.sources import Probes
from jaxnn.check.reference.truth import Draw, Truth, by_autodiff
from jaxnn.check.trial.cases import draw_of
from jaxnn.check.walk import layer_problem

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(7, 5)), jnp.float32)
W = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
ONCE = {"seeds": 1, "dtypes": ("float64",)}


def notes(report, check):
    return [finding.text for finding in report.findings if finding.check == check]


def relu(x):
    return jnp.maximum(x, 0)


def relu_backward(args, dy):
    return (jnp.where(args[0] > 0, dy, 0),)


@pytest.mark.parametrize(
    ("signs", "said"), [((1, -1), False), ((-1, 1), False), ((1, 1), True), ((-1, -1), True)]
)
def test_a_side_counts_as_seen_when_any_draw_took_it(signs, said):
    def inputs(seed):
        return (signs[seed] * jnp.abs(X) + 0,)

    report = check_vjp(relu, relu_backward, (X,), inputs=inputs, perturb=0, seeds=2)
    assert report.ok
    assert any("only ever came out one way" in text for text in notes(report, "exercise")) == said


def test_ties_of_all_draws_are_counted():
    report = check_vjp(
        lambda x: jnp.where(x > 0, x, 0), relu_backward, (X.at[0].set(0),), perturb=0, seeds=3
    )
    assert any(text.startswith("15 ties at the gt in ") for text in notes(report, "exercise"))


def test_what_is_equal_everywhere_is_said_only_if_the_draws_leave_it_so():
    ones = jnp.ones((7, 5))
    report = check_vjp(jnp.tanh, lambda a, dy: (dy / jnp.cosh(a[0]) ** 2,), (ones,), **ONCE)
    assert notes(report, "exercise") == []
    report = check_vjp(
        jnp.tanh, lambda a, dy: (dy / jnp.cosh(a[0]) ** 2,), (ones,), perturb=0, **ONCE
    )
    assert notes(report, "exercise") == ["x is 1 everywhere"]


def two(x, w):
    return jnp.tanh(x), x @ w


def two_backward(args, dy):
    (x, w), (d, e) = args, dy
    return d / jnp.cosh(x) ** 2 + e @ w.T, x.T @ e


def test_of_several_outputs_the_wrong_one_is_named():
    assert check_vjp(two, two_backward, (X, W), **ONCE).ok
    off = check_vjp(
        lambda x, w: (jnp.tanh(x), 2 * (x @ w)), two_backward, (X, W), reference=two, **ONCE
    )
    assert off.wrong == ("the value [1]",)


@pytest.mark.parametrize("order", [1, -1])
def test_every_output_has_noise_of_its_own(order):
    def forward(x, w):  # the sine loses three digits
        return (jnp.tanh(x), jnp.sin(1e3 * (x @ w)))[::order]

    def backward(args, dy):
        (x, w), (d, e) = args, dy[::order]
        return two_backward(args, (d, 1e3 * jnp.cos(1e3 * (x @ w)) * e))

    report = check_vjp(forward, backward, (X, W), seeds=1, dtypes=("float32",))
    assert report.ok, report


@pytest.mark.parametrize("i", [0, 1])
def test_of_several_cotangents_the_one_in_the_error_is_named(i):
    def forward(x, b):
        return jnp.tanh(x) + b, x + b

    def backward(args, dy):  # db = sum dy[0] + sum dy[1], of which one is forgotten
        return dy[0] / jnp.cosh(args[0]) ** 2 + dy[1], dy[i].sum(0)

    report = check_vjp(forward, backward, (X, jnp.zeros(5)), **ONCE)
    assert report.wrong == ("b",)
    assert report.cause is not None
    assert f"equal to sum dy[{i}]" in report.cause.text


def test_a_toggle_has_to_make_every_leaf_right():
    def forward(x, w, mask):
        return (x * mask) @ w

    def backward(args, dy):  # dx lacks the mask, dw has the wrong sign
        x, w, mask = args
        return dy @ w.T, -(x * mask).T @ dy, None

    mask = jnp.asarray(RNG.random((7, 5)) > 0.4)
    mask = jnp.where(mask, 1, 0).astype(jnp.int32)
    toggles = {"a full mask": lambda x, w, mask: (x, w, np.ones_like(mask))}

    def masked(x, w, mask):
        return forward(x, w, mask.astype(x.dtype))

    def of_masked(args, dy):
        return backward((*args[:2], args[2].astype(args[0].dtype)), dy)

    report = check_vjp(masked, of_masked, (X, W, mask), toggles=toggles, **ONCE)
    assert report.wrong == ("x", "w")
    assert notes(report, "toggle") == []


@pytest.mark.parametrize("wrapped", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_of_several_faults_the_one_used_last_is_named(wrapped):
    @wrapped
    def forward(x, w, v):
        return jnp.tanh(x @ v) @ w

    def backward(args, dy):  # no gradient is linear in dy
        return jax.tree.map(lambda g: g + 1, jax.vjp(forward, *args)[1](dy))

    v = jnp.asarray(RNG.normal(size=(5, 5)), jnp.float32)
    report = check_vjp(forward, backward, (X, W, v), checks=("gradient", "zero_cotangent"), **ONCE)
    (finding,) = (f for f in report.findings if f.check == "zero_cotangent")
    assert finding.path == "w"


def test_integers_among_the_arguments_do_not_shift_the_leaves_that_differences_move():
    def forward(table, tree):
        return np.tanh(tree["a"][table]) * tree["c"]

    def backward(args, dy):
        table, tree = args
        t = np.tanh(tree["a"][table])
        da = np.zeros_like(tree["a"])
        np.add.at(da, table, dy * (1 - t * t) * tree["c"])
        return None, {"a": da, "b": None, "c": dy * t}

    tree = {"a": np.asarray(X[:, 0]), "b": np.arange(3), "c": np.asarray(X[:4, 1])}
    report = check_vjp(forward, backward, (np.array([0, 3, 3, 6]), tree), **ONCE)
    assert report.oracle == "central differences in float64"
    assert report.ok, report
    assert {leaf.path for leaf in report.leaves} == {"the value", "tree['a']", "tree['c']"}


def test_one_array_is_no_gradient_of_two():
    def forward(tree):
        return tree["a"]["w"].sum() + tree["a"]["b"].sum() + tree["c"].sum()

    def backward(args, dy):
        (tree,) = args
        return ({"a": dy * jnp.ones_like(tree["a"]["w"]), "c": dy * jnp.ones_like(tree["c"])},)

    tree = {"a": {"b": X[0], "w": X[1]}, "c": X}
    report = check_vjp(forward, backward, (tree,), **ONCE)
    assert [text.split(":")[0] for text in notes(report, "structure")] == [
        *("tree['a']['b']", "tree['a']['w']", "tree['a']")
    ]


def test_a_case_of_fewer_arguments_is_refused():
    case = {"args/0": np.asarray(X), "dy/0": np.asarray(X), "seed": 0, "dtype": "float64"}
    assert np.array_equal(draw_of(case, (X,), "float32").args[0], X)
    with pytest.raises(ValueError, match=r"arguments of \[\(7, 5\), \(5, 3\)\], got \[\(7, 5\)\]"):
        draw_of(case, (X, W), "float32")


def truth(gradients, errors=None):
    return Truth([], [np.asarray(g) for g in gradients], [], [], errors=errors)


def test_a_small_gradient_converges_as_far_as_the_largest_of_all():
    for gradients in ([1e-9, 1.0], [1.0, 1e-9]):
        i = gradients.index(1e-9)
        assert truth(gradients, [5e-9, 5e-9]).converged(i)
        assert not truth(gradients, [5e-8, 5e-8]).converged(i)
    assert not truth([1e-9, 1e-9], [5e-9, 5e-9]).converged(0)


def test_noise_is_the_largest_of_all_runs():
    problem = layer_problem(nn.Dense(3), None)
    draw = Draw(0, "float32", (nn.Affine(np.asarray(W), np.ones(3)), np.asarray(X)), [X @ W])
    noise = np.array([by_autodiff(problem, draw, draw.args, runs).noise for runs in range(1, 9)])
    assert (np.diff(noise, axis=0) >= 0).all()
    assert (noise[-1] > noise[0]).any()


def test_the_error_of_a_difference_is_that_of_all_its_probes():
    class Told(Probes):
        """Directional derivatives whose errors are 3, 4 and 12."""

        def __init__(self, *args):
            super().__init__(*args)
            self.errors = iter([3.0, 4.0, 12.0])

        def derivative(self, args, tangents, dy):
            return Estimate(1.0, next(self.errors))

    problem = Problem("f", ("x",), np.sin, lambda args, dy: (dy,), np.sin, (0,))
    draw = Draw(0, "float64", (np.ones(2),), [np.ones(2)])
    found = Told(problem, draw.args, read_options({"probes": 3})).truth(draw)
    assert found.errors == [13.0]
    assert found.gradients[0].shape == (3,)


def leaf(path, error=0.0, size=1.0, seed=0, dtype="float32", allowed=1e-6):
    return Leaf(path, dtype, seed, error, allowed, size, (0,), 1.0, 1.0, False)


def report_of(leaves, findings=()):
    return Report("f", "autodiff", (0, 1), ("float32",), tuple(leaves), tuple(findings))


@pytest.mark.parametrize("errors", [(1e-5, 1e-3), (1e-3, 1e-5), (1e-3, float("nan"))])
def test_of_several_draws_the_one_furthest_off_stands_for_a_leaf(errors):
    report = report_of(leaf("w", error, seed=seed) for seed, error in enumerate(errors))
    (worst,) = report.worst
    assert worst.over == max(each.over for each in report.leaves)


def test_a_mistake_counts_for_the_draws_and_precisions_that_show_it():
    found = [
        Finding("wrong", "eager", "in all"),
        Finding("wrong", "linearity", "one", "float64", 1),
    ]
    assert report_of([], found[:1]).caught("float32", 0)
    assert [report_of([], found[1:]).caught("float64", seed) for seed in (0, 1)] == [False, True]
    assert not report_of([], found[1:]).caught("float32", 1)
    wrong = report_of([leaf("w", 1.0, seed=1), leaf("w", 0.0, seed=0)])
    assert [wrong.caught("float32", seed) for seed in (0, 1)] == [False, True]


def test_a_long_report_keeps_to_forty_lines_and_says_how_much_it_leaves_out():
    leaves = [leaf(f"w[{i}]", 1.0) for i in range(15)] + [leaf("b", allowed=1e-3), leaf("c")]
    findings = [Finding("note", "exercise", f"note {i}") for i in range(10)]
    text = str(report_of(leaves, [*findings, Finding("wrong", "eager", "first of all")]))
    lines = text.splitlines()
    assert len(lines) <= 40
    assert "wrong    15 of 17 leaves" in text
    assert [line.strip() for line in lines if "more" in line] == ["... and 3 more"] * 2
    assert next(line for line in lines if "[" in line and "]" in line).endswith("first of all")
    assert "right    b, c" in text
    assert "relative errors from 1.0e-03 on (least sure: b)" in text
