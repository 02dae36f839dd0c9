"""What all checks of a pytest session found: counted in the tests, added up at the end.

A check travels as a property of its test, which pytest-xdist brings from worker to controller and
a JUnit file shows.
"""

import math
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jaxnn.check.report.report import Report

PROPERTY = "gradcheck"
SLOWEST = 5


class Summary:
    """What all checks of a session found, from the reports of its tests."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, dict[str, Any]]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes down the checks of one test, when it is over."""
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == PROPERTY and isinstance(value, dict):
                    self.checks.append((report.nodeid, value))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """How much was checked, how well, and what took longest."""
        if self.checks:
            terminalreporter.section("gradcheck")
            for line in self.lines():
                terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        """The summary, a line for each thing to say."""
        found = [check for _, check in self.checks]
        verdicts = [check["verdict"] for check in found]
        counts = [f"{verdicts.count(v)} {v}" for v in ("ok", "wrong", "inconclusive")]
        leaves = sum(check["leaves"] for check in found)
        lines = [f"{leaves} leaves, {len(found)} checks: {', '.join(counts)}"]
        worst: dict[str, float] = {}
        for check in found:
            for dtype, value in check["resolution"].items():
                worst[dtype] = max(value, worst.get(dtype, 0.0))
        if worst:
            power = ", ".join(f"{value:.1e} in {dtype}" for dtype, value in worst.items())
            lines.append(f"every check would have caught relative errors from {power} on")
        unsure = [test for test, check in self.checks if check["verdict"] == "inconclusive"]
        if unsure:
            lines.append(f"inconclusive: {', '.join(dict.fromkeys(unsure))}")
        order = sorted(self.checks, key=lambda pair: -pair[1]["seconds"])[:SLOWEST]
        slowest = ", ".join(f"{check['seconds']:.1f} s {test}" for test, check in order)
        return [*lines, f"slowest: {slowest}"]


def figures(report: "Report", seconds: float) -> dict[str, Any]:
    """What the summary needs of a report, as plain values that pass between processes."""
    resolution: dict[str, float] = {}
    for leaf in report.leaves:
        if math.isfinite(leaf.resolution):
            known = resolution.get(leaf.dtype, 0.0)
            resolution[leaf.dtype] = max(float(leaf.resolution), known)
    return {
        "verdict": report.verdict,
        "leaves": len(report.worst),
        "resolution": resolution,
        "seconds": seconds,
    }
