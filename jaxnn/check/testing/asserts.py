"""`assert_...`: the checks for use in tests. Each takes what the check of its name takes, returns
its report, and raises `GradientError`, an `AssertionError`, unless the report is ok."""

import functools
from collections.abc import Callable
from typing import ParamSpec

from jaxnn.check.gradients import (
    check_adjoint,
    check_custom_vjp,
    check_grad,
    check_second_order,
    check_vjp,
)
from jaxnn.check.layers import check_backprop, check_layer
from jaxnn.check.report.report import GradientError, Report

P = ParamSpec("P")


def require(report: Report) -> Report:
    """The report, if it is ok. Raises GradientError otherwise: what is inconclusive is no pass."""
    if not report.ok:
        raise GradientError(report)
    return report


def _asserting(check: Callable[P, Report]) -> Callable[P, Report]:
    @functools.wraps(check)
    def asserting(*args: P.args, **options: P.kwargs) -> Report:
        return require(check(*args, **options))

    asserting.__name__ = asserting.__qualname__ = check.__name__.replace("check", "assert")
    asserting.__doc__ = f"{check.__doc__}\n    Raises GradientError unless the report is ok.\n    "
    asserting.__module__ = __name__
    return asserting


assert_grad = _asserting(check_grad)
assert_vjp = _asserting(check_vjp)
assert_custom_vjp = _asserting(check_custom_vjp)
assert_adjoint = _asserting(check_adjoint)
assert_second_order = _asserting(check_second_order)
assert_layer = _asserting(check_layer)
assert_backprop = _asserting(check_backprop)
