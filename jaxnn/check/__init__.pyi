"""The public names of the gradient checker."""

from jaxnn.check.gradients import (
    check_adjoint as check_adjoint,
    check_custom_vjp as check_custom_vjp,
    check_grad as check_grad,
    check_second_order as check_second_order,
    check_vjp as check_vjp,
)
from jaxnn.check.kinks.distance import (
    Kinks as Kinks,
    clear_of_kinks as clear_of_kinks,
    kink_distance as kink_distance,
)
from jaxnn.check.layers import check_backprop as check_backprop, check_layer as check_layer
from jaxnn.check.numeric.complex_step import (
    NotAnalytic as NotAnalytic,
    complex_step_jvp as complex_step_jvp,
)
from jaxnn.check.numeric.differences import (
    Estimate as Estimate,
    numerical_directional as numerical_directional,
    numerical_jvp as numerical_jvp,
    numerical_vjp as numerical_vjp,
    taylor_order as taylor_order,
)
from jaxnn.check.planting.sensitivity_of import (
    Sensitivity as Sensitivity,
    sensitivity as sensitivity,
)
from jaxnn.check.report.record import Finding as Finding, Leaf as Leaf
from jaxnn.check.report.report import GradientError as GradientError, Report as Report
from jaxnn.check.testing.asserts import (
    assert_adjoint as assert_adjoint,
    assert_backprop as assert_backprop,
    assert_custom_vjp as assert_custom_vjp,
    assert_grad as assert_grad,
    assert_layer as assert_layer,
    assert_second_order as assert_second_order,
    assert_vjp as assert_vjp,
)

__all__: list[str]
