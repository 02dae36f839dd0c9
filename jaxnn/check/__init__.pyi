"""The public names of the gradient checker."""

from jaxnn.check.gradients import check_adjoint as check_adjoint
from jaxnn.check.gradients import check_custom_vjp as check_custom_vjp
from jaxnn.check.gradients import check_grad as check_grad
from jaxnn.check.gradients import check_second_order as check_second_order
from jaxnn.check.gradients import check_vjp as check_vjp
from jaxnn.check.kinks.distance import Kinks as Kinks
from jaxnn.check.kinks.distance import clear_of_kinks as clear_of_kinks
from jaxnn.check.kinks.distance import kink_distance as kink_distance
from jaxnn.check.layers import check_backprop as check_backprop
from jaxnn.check.layers import check_layer as check_layer
from jaxnn.check.numeric.complex_step import NotAnalytic as NotAnalytic
from jaxnn.check.numeric.complex_step import complex_step_jvp as complex_step_jvp
from jaxnn.check.numeric.differences import Estimate as Estimate
from jaxnn.check.numeric.differences import numerical_directional as numerical_directional
from jaxnn.check.numeric.differences import numerical_jvp as numerical_jvp
from jaxnn.check.numeric.differences import numerical_vjp as numerical_vjp
from jaxnn.check.numeric.differences import taylor_order as taylor_order
from jaxnn.check.planting.sensitivity_of import Sensitivity as Sensitivity
from jaxnn.check.planting.sensitivity_of import sensitivity as sensitivity
from jaxnn.check.report import Finding as Finding
from jaxnn.check.report import GradientError as GradientError
from jaxnn.check.report import Leaf as Leaf
from jaxnn.check.report import Report as Report
from jaxnn.check.testing.asserts import assert_adjoint as assert_adjoint
from jaxnn.check.testing.asserts import assert_backprop as assert_backprop
from jaxnn.check.testing.asserts import assert_custom_vjp as assert_custom_vjp
from jaxnn.check.testing.asserts import assert_grad as assert_grad
from jaxnn.check.testing.asserts import assert_layer as assert_layer
from jaxnn.check.testing.asserts import assert_second_order as assert_second_order
from jaxnn.check.testing.asserts import assert_vjp as assert_vjp

__all__: list[str]
