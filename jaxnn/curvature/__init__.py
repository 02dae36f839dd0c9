"""Second derivatives, and derivatives by the inputs.

    hvp, gnvp                          products of H and G with a vector: (C, Hv)
    ggn_diagonal, hessian_diagonal     diagonals, shaped like the parameters
    kflr, kronecker                    G of every affine map as a Kronecker product
    input_gradient, saliency, ...      what an output, or the loss, answers to

`jaxnn.curvature.products` says what H and G are.
"""

from jaxnn.curvature.diagonals import Sampled, ggn_diagonal, hessian_diagonal, sampled_ggn_diagonal
from jaxnn.curvature.input_gradients import (
    input_gradient,
    input_jacobian,
    integrated_gradients,
    saliency,
)
from jaxnn.curvature.kronecker_factors import Kronecker, KroneckerFactors, kflr, kronecker
from jaxnn.curvature.products import gnvp, hvp

__all__ = [
    "Kronecker",
    "KroneckerFactors",
    "Sampled",
    "ggn_diagonal",
    "gnvp",
    "hessian_diagonal",
    "hvp",
    "input_gradient",
    "input_jacobian",
    "integrated_gradients",
    "kflr",
    "kronecker",
    "saliency",
    "sampled_ggn_diagonal",
]
