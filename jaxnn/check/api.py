"""The public names of the gradient checker, which `import jaxnn.check` offers as its own."""

from jaxnn.check.gradients import (
    check_adjoint,
    check_custom_vjp,
    check_grad,
    check_second_order,
    check_vjp,
)
from jaxnn.check.kinks.distance import Kinks, clear_of_kinks, kink_distance
from jaxnn.check.layers import check_backprop, check_layer
from jaxnn.check.numeric.complex_step import NotAnalytic, complex_step_jvp
from jaxnn.check.numeric.differences import (
    Estimate,
    numerical_directional,
    numerical_jvp,
    numerical_vjp,
    taylor_order,
)
from jaxnn.check.planting.sensitivity_of import Sensitivity, sensitivity
from jaxnn.check.report import Finding, GradientError, Leaf, Report
from jaxnn.check.testing.asserts import (
    assert_adjoint,
    assert_backprop,
    assert_custom_vjp,
    assert_grad,
    assert_layer,
    assert_second_order,
    assert_vjp,
)
