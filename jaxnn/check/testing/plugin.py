"""The pytest plugin: the fixture `gradcheck`, its options, a marker, and a summary.

    def test_backward(gradcheck):
        gradcheck.grad(loss, manual, params, x, y)

    @pytest.mark.gradcheck(level="exhaustive", dtypes=("float32",))
    def test_layer(gradcheck):
        gradcheck.layer(layer, params, x)

A method is the `jaxnn.check.assert_...` of its name, with seeds made from the id of the test: the
same in any order and on any worker of pytest-xdist, and other ones in other tests. What is chosen
in a call outweighs the marker, which outweighs the command line.

JAX is imported when a test makes its first check, never before, so that what a conftest writes
into os.environ still counts.
"""

import argparse
import hashlib
import pathlib
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from jaxnn.check.testing.summary import PROPERTY, Summary, figures

if TYPE_CHECKING:
    from jaxnn.check.report.report import Report

LEVELS = ("quick", "full", "exhaustive")  # of jaxnn.check.options, which imports jax
CASE = pytest.StashKey[dict[str, Any] | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all of which begin with --gradcheck."""
    add = parser.getgroup("gradcheck", "hand-written gradients (jaxnn)").addoption
    add("--gradcheck-level", choices=LEVELS, help="how much a check does; full unless given")
    add("--gradcheck-seeds", type=_count, metavar="N", help="how many draws a check makes")
    add("--gradcheck-seed", type=int, metavar="S", help="the first seed, in every test")
    add("--gradcheck-save", metavar="DIR", help="write failing cases into this folder")
    add("--gradcheck-replay", metavar="FILE", help="run the test of a saved case, on its draw")
    add(
        "--gradcheck-allow-inconclusive",
        action="store_true",
        help="do not fail where a gradient could not be judged, only count it",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker, the summary, and the case to replay. Raises UsageError if that cannot be read."""
    config.addinivalue_line(
        "markers", "gradcheck(**options): options of the checks that the gradcheck fixture makes"
    )
    config.pluginmanager.register(Summary(), "gradcheck-summary")
    file = config.getoption("gradcheck_replay")
    config.stash[CASE] = _load(config.invocation_params.dir / file) if file else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the test that the case to replay was saved by, and no other."""
    case = config.stash[CASE]
    if case is None or "test" not in case:
        return
    wanted = str(case["test"])
    others = [item for item in items if _name(item) != wanted]
    if len(others) == len(items):
        raise pytest.UsageError(f"the case to replay is of {wanted}, which was not collected")
    items[:] = [item for item in items if _name(item) == wanted]
    config.hook.pytest_deselected(items=others)


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> "GradCheck":
    """The checks of `jaxnn.check`, seeded from the id of this test: `gradcheck.grad(...)`."""
    return GradCheck(request.node)


class GradCheck:
    """The checks as one test makes them: each raises GradientError unless its report is ok."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._made = 0

    def grad(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_grad(loss, manual, params, *batch)`."""
        __tracebackhide__ = True
        return self._require("grad", args, options)

    def vjp(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_vjp(forward, backward, args)`."""
        __tracebackhide__ = True
        return self._require("vjp", args, options)

    def custom_vjp(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_custom_vjp(f, args)`."""
        __tracebackhide__ = True
        return self._require("custom_vjp", args, options)

    def layer(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_layer(layer, params, x)`."""
        __tracebackhide__ = True
        return self._require("layer", args, options)

    def backprop(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_backprop(net, loss, params, x, y)`."""
        __tracebackhide__ = True
        return self._require("backprop", args, options)

    def adjoint(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_adjoint(J, JT, x_like, y_like)`."""
        __tracebackhide__ = True
        return self._require("adjoint", args, options)

    def second_order(self, *args: Any, **options: Any) -> "Report":
        """As `jaxnn.check.assert_second_order(loss, manual, params, *batch)`."""
        __tracebackhide__ = True
        return self._require("second_order", args, options)

    def _require(self, name: str, args: tuple[Any, ...], given: dict[str, Any]) -> "Report":
        __tracebackhide__ = True
        from jaxnn import check

        self._made += 1
        options, began = self._options(given), time.perf_counter()
        report = getattr(check, f"check_{name}")(*args, **options)
        found = figures(report, time.perf_counter() - began)
        self._node.user_properties.append((PROPERTY, found))
        allowed = self._node.config.getoption("gradcheck_allow_inconclusive")
        if report.ok or (allowed and report.verdict == "inconclusive"):
            return report
        error = check.GradientError(report)
        error.add_note(self._how_to_repeat(report))
        raise error

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        """Those of the call, of the markers, the nearest first, and of the command line."""
        from jaxnn.check.options import read_options

        option = self._node.config.getoption
        found = {"level": option("gradcheck_level"), "seeds": option("gradcheck_seeds")}
        found = {name: value for name, value in found.items() if value is not None}
        for marker in [*self._node.iter_markers("gradcheck")][::-1]:
            if marker.args:
                raise TypeError(f"expected @pytest.mark.gradcheck(level=...), got {marker.args}")
            found |= marker.kwargs
        found |= given
        case = self._node.config.stash[CASE]
        if case is not None and self._made == int(case.get("check", 1)):
            return found | {"inputs": case, "seeds": None}
        chosen = {name: found[name] for name in ("level", "seeds") if name in found}
        seeds = read_options(chosen).draws
        if not isinstance(found.get("seeds"), tuple | list):
            seeds = tuple(self._first_seed() + seed for seed in seeds)
        return found | {"seeds": seeds}

    def _first_seed(self) -> int:
        given = self._node.config.getoption("gradcheck_seed")
        if given is not None:
            return given
        digest = hashlib.sha256(_name(self._node).encode()).digest()
        return int.from_bytes(digest[:4], "big") % 1_000_000

    def _how_to_repeat(self, report: "Report") -> str:
        """In words; saves the case where that is asked for."""
        config, name = self._node.config, _name(self._node)
        folder = config.getoption("gradcheck_save")
        if not folder or report.case is None:
            return f"repeat   pytest '{self._node.nodeid}' --gradcheck-seed {self._first_seed()}"
        case = {**report.case, "test": name, "check": self._made}
        file = re.sub(r"[^\w.-]+", "-", name) + (f"-{self._made}" if self._made > 1 else "")
        saved = report.replace(case=case).save(config.invocation_params.dir / folder, file)
        return f"repeat   pytest '{self._node.nodeid}' --gradcheck-replay '{saved}'"


def _name(node: pytest.Item) -> str:
    """The id of a test, without the group that pytest-xdist may append."""
    return node.nodeid.split("@")[0]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected one or more draws, got {text}")
    return int(text)


def _load(file: pathlib.Path) -> dict[str, Any]:
    import numpy as np

    try:
        with np.load(file) as case:
            return dict(case)
    except (OSError, ValueError) as error:
        text = f"--gradcheck-replay: expected an .npz that --gradcheck-save wrote, got {file}"
        raise pytest.UsageError(f"{text}: {error}") from error
