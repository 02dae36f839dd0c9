"""Second derivatives, and derivatives by the inputs.

    hvp, gnvp                          products of H and G with a vector: (C, Hv)
    ggn_diagonal, hessian_diagonal     diagonals, shaped like the parameters
    kflr, kronecker                    G of every affine map as a Kronecker product
    input_gradient, saliency, ...      what an output, or the loss, answers to

`jaxnn.curvature.products` says what H and G are.
"""

from jaxnn.curvature.diagonals import (
    GGNDiagonal,
    Sampled,
    SampledGGNDiagonal,
    ggn_diagonal,
    hessian_diagonal,
    sampled_ggn_diagonal,
)
from jaxnn.curvature.fisher import Fisher, kflr
from jaxnn.curvature.input_gradients import (
    input_gradient,
    input_jacobian,
    integrated_gradients,
    saliency,
)
from jaxnn.curvature.kronecker_factors import Kronecker, KroneckerFactors, kronecker
from jaxnn.curvature.products import gnvp, hvp

__all__ = [
    "Fisher",
    "GGNDiagonal",
    "Kronecker",
    "KroneckerFactors",
    "Sampled",
    "SampledGGNDiagonal",
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
