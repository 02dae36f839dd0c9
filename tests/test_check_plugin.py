"""The pytest plugin, run by pytest within pytest: seeds, options, saved cases, the summary."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.check import check_vjp
from jaxnn.check.options import LEVELS
from jaxnn.check.testing import plugin as plugin_module

pytest_plugins = "pytester"

HEAD = """
import numpy as np
import pytest

x = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
w = np.ones(2, np.float32)
QUICK = dict(level="quick", dtypes=("float32",), oracle="differences")

def loss(w, x):
    return 0.5 * np.sum((x @ w) ** 2)

def right(w, x):
    return x.T @ (x @ w)

def wrong(w, x):
    return 1.5 * right(w, x)
"""


@pytest.fixture
def run(pytester):
    """Runs pytest, with the plugin from here and not one that is installed, on HEAD + tests."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_inner=HEAD + tests)
        return pytester.runpytest_inprocess(
            *("-p", "no:jaxnn", "-p", "no:cacheprovider", "-p", "jaxnn.check.testing.plugin"),
            *options,
        )

    return run


def seeds_of(result: pytest.RunResult) -> dict[str, str]:
    """The lines `name: ...` that the tests printed."""
    found = [line.split(" = ") for line in result.outlines if line.startswith("seeds of ")]
    return dict(found)


PRINT = """
def test_a(gradcheck):
    print("\\nseeds of a =", gradcheck.grad(loss, right, w, x, **QUICK).seeds)

@pytest.mark.parametrize("n", [1, 2])
def test_b(gradcheck, n):
    print("\\nseeds of", n, "=", gradcheck.grad(loss, right, w, x, **QUICK).seeds)
"""


def test_seeds_come_from_the_id_of_a_test_whatever_the_order(run):
    everything = seeds_of(run(PRINT, "-s"))
    alone = seeds_of(run(PRINT, "-s", "-k", "test_b and 2"))
    assert len(set(everything.values())) == 3
    assert alone == {"seeds of 2": everything["seeds of 2"]}


def test_seed_and_seeds_are_options(run):
    result = run(PRINT, "-s", "--gradcheck-seed", "70", "--gradcheck-seeds", "2", "-k", "test_a")
    assert seeds_of(result) == {"seeds of a": "(70, 71)"}


LEVEL = """
@pytest.mark.gradcheck(seeds=2, dtypes=("float64",))
class TestMarked:
    @pytest.mark.gradcheck(level="exhaustive", jitters=1)
    def test_of_the_marker(self, gradcheck):
        report = gradcheck.grad(loss, right, w, x, oracle="differences")
        assert (len(report.seeds), report.dtypes) == (2, ("float64",))

    @pytest.mark.gradcheck(seeds=(4, 7))
    def test_of_the_call(self, gradcheck):
        report = gradcheck.grad(loss, right, w, x, **QUICK)
        assert (report.seeds, report.dtypes) == ((4, 7), ("float32",))

def test_of_the_command_line(gradcheck):
    report = gradcheck.grad(loss, right, w, x, dtypes=("float32",), oracle="differences")
    assert len(report.seeds) == 1
"""


def test_the_call_outweighs_the_marker_which_outweighs_the_command_line(run):
    run(LEVEL, "--gradcheck-level", "quick", "--strict-markers").assert_outcomes(passed=3)


def test_a_marker_without_names_is_refused(run):
    test = (
        "@pytest.mark.gradcheck('quick')\ndef test_a(gradcheck): gradcheck.grad(loss, right, w, x)"
    )
    run(test).stdout.fnmatch_lines(["*TypeError: expected @pytest.mark.gradcheck(level=...), got*"])


METHODS = """
import jax
import jax.numpy as jnp
import jaxnn as nn

@jax.custom_vjp
def double(x):
    return 2 * x

double.defvjp(lambda x: (2 * x, None), lambda residuals, dy: (2 * dy,))

@pytest.mark.gradcheck(level="quick", dtypes=("float32",), jitters=1)
def test_every_method(gradcheck):
    q, x = lambda w, x: 0.5 * jnp.sum((x @ w) ** 2), jnp.asarray(globals()["x"])
    gradcheck.vjp(lambda x: 2 * x, lambda args, dy: (2 * dy,), (x,))
    gradcheck.custom_vjp(double, (x,))
    gradcheck.layer(nn.tanh, (), x)
    gradcheck.backprop(nn.Dense(2), nn.half_square, None, x, x)
    gradcheck.adjoint(lambda x: x[::-1], lambda y: y[::-1], x, x)
    gradcheck.second_order(q, lambda w, x: x.T @ (x @ w), jnp.ones(2), x)
"""


def test_every_check_has_its_method(run):
    result = run(METHODS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["* leaves, 6 checks: 6 ok, 0 wrong, 0 inconclusive"])


FAILING = """
def test_good(gradcheck):
    gradcheck.grad(loss, right, w, x, **QUICK)

def test_bad(gradcheck):
    gradcheck.grad(loss, right, w, x, **QUICK)
    gradcheck.grad(loss, wrong, w, x + np.random.normal(size=x.shape).astype("f4"), **QUICK)
"""


def test_a_failing_case_is_saved_and_replayed(run, pytester, monkeypatch):
    result = run(FAILING, "--gradcheck-save", "cases")
    result.assert_outcomes(passed=1, failed=1)
    file = pytester.path / "cases" / "test_inner.py-test_bad-2.npz"
    result.stdout.fnmatch_lines([
        "*GradientError: wrong: wrong *",
        f"*repeat   pytest 'test_inner.py::test_bad' --gradcheck-replay '{file}'",
    ])  # fmt: skip
    (first,) = json.loads(file.with_suffix(".json").read_text())["leaves"][1:]

    replayed = run(FAILING, "--gradcheck-replay", "cases/test_inner.py-test_bad-2.npz",
                   "--gradcheck-save", "again")  # fmt: skip
    replayed.assert_outcomes(failed=1, deselected=1)
    again = pytester.path / "again" / file.name
    (second,) = json.loads(again.with_suffix(".json").read_text())["leaves"][1:]
    assert first == second  # although the test draws its own inputs, and others each time
    with np.load(file) as a, np.load(again) as b:
        assert (
            sorted(a) == sorted(b) == ["args/0", "args/1", "check", "dtype", "dy/0", "seed", "test"]
        )
        assert all((a[name] == b[name]).all() for name in a)


def test_without_saving_a_failure_names_its_seed(run):
    result = run(FAILING, "--gradcheck-seed", "5")
    result.stdout.fnmatch_lines(["*repeat   pytest 'test_inner.py::test_bad' --gradcheck-seed 5"])
    assert "plugin.py" not in result.stdout.str()  # the traceback ends at the test's own line


def test_a_case_of_a_test_that_is_not_there_is_an_error(run, pytester):
    np.savez(pytester.path / "case.npz", test="test_other.py::test_c", seed=0, dtype="float32")
    result = run(FAILING, "--gradcheck-replay", "case.npz")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*the case to replay is of test_other.py::test_c, which was not*"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--gradcheck-replay=absent.npz", "*absent.npz*No such file*"),
        ("--gradcheck-seeds=0", "*expected one or more draws, got 0*"),
        ("--gradcheck-level=deep", "*invalid choice: 'deep'*"),
    ],
)
def test_options_are_refused_with_a_reason(run, option, message):
    result = run("", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


INCONCLUSIVE = """
def kinked(w, x):
    return np.sum(np.abs(w) ** 0.5 * x[0])

def test_kink(gradcheck):
    options = {**QUICK, "dtypes": ("float64",), "perturb": 0.0}
    gradcheck.grad(kinked, lambda w, x: w, 0 * w, x, **options)
"""


def test_what_is_inconclusive_fails_unless_that_is_allowed(run):
    run(INCONCLUSIVE).assert_outcomes(failed=1)
    result = run(INCONCLUSIVE, "--gradcheck-allow-inconclusive")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([
        "* checks: 0 ok, 0 wrong, 1 inconclusive",
        "inconclusive: test_inner.py::test_kink",
    ])  # fmt: skip


def test_the_summary_says_how_much_was_checked_and_how_well(run):
    result = run(FAILING)
    result.stdout.fnmatch_lines([
        "*= gradcheck =*",
        "6 leaves, 3 checks: 2 ok, 1 wrong, 0 inconclusive",
        "every check would have caught relative errors from *e-* in float32 on",
        "slowest: *.* s test_inner.py::test_*, *",
    ])  # fmt: skip
    assert "gradcheck" not in run("def test_nothing(): pass").stdout.str()


def test_the_levels_are_those_of_the_checks():
    assert set(plugin_module.LEVELS) == set(LEVELS)


def test_an_installed_plugin_imports_jax_for_nobody(pytester):
    """As pip would leave it: found by its entry point, in a process of its own."""
    info = pytester.path / "somebodys-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest11]\njaxnn = jaxnn.check.testing.plugin\n")
    pytester.makepyfile("""
        import sys

        def test_a(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("jaxnn")
            assert "jaxnn.check.testing.plugin" in sys.modules
            assert "jax" not in sys.modules
    """)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=pytester.path, capture_output=True, text=True,
    )  # fmt: skip
    assert "1 passed" in result.stdout, result.stdout + result.stderr


def embed(table, ids, count, key):
    """count tanh(table[ids]), half of it dropped: floats, ids, a number, a key."""
    kept = jax.random.bernoulli(key, jnp.float32(0.5), ids.shape)[:, None]
    return jnp.where(kept, count * jnp.tanh(table[ids]), 0.0)


def embed_backward(args, dy):
    """The gradient of `embed`, 1% too large."""
    _, pull = jax.vjp(lambda table: embed(table, *args[1:]), args[0])
    return 1.01 * pull(dy)[0], None, None, None


def test_a_saved_draw_gives_the_same_numbers_in_any_check(tmp_path):
    def args(seed):
        rng = np.random.default_rng(seed)
        table = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
        return table, jnp.asarray(rng.integers(0, 5, 7)), 3, jax.random.key(0)

    options = {"level": "quick", "checks": ("value", "gradient")}
    first = check_vjp(embed, embed_backward, args(0), seeds=(9,), dtypes=("float32",), **options)
    with np.load(first.save(tmp_path)) as case:
        second = check_vjp(embed, embed_backward, args(1), inputs=case, **options)
        assert (second.seeds, second.dtypes) == ((9,), ("float32",))
        assert first.leaves == second.leaves
        assert first.wrong == ("table",)
        other = jnp.ones((5, 4)), *args(1)[1:]
        with pytest.raises(
            ValueError, match=r"a case with arguments of \[\(5, 4\), .* got \[\(5, 3"
        ):
            check_vjp(embed, embed_backward, other, inputs=case, **options)
