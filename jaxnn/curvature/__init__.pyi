"""The public names of `jaxnn.curvature`."""

from jaxnn.curvature.diagonals import (
    GGNDiagonal as GGNDiagonal,
    Sampled as Sampled,
    SampledGGNDiagonal as SampledGGNDiagonal,
    ggn_diagonal as ggn_diagonal,
    hessian_diagonal as hessian_diagonal,
    sampled_ggn_diagonal as sampled_ggn_diagonal,
)
from jaxnn.curvature.fisher import Fisher as Fisher, kflr as kflr
from jaxnn.curvature.input_gradients import (
    input_gradient as input_gradient,
    input_jacobian as input_jacobian,
    integrated_gradients as integrated_gradients,
    saliency as saliency,
)
from jaxnn.curvature.kronecker_factors import (
    Kronecker as Kronecker,
    KroneckerFactors as KroneckerFactors,
    kronecker as kronecker,
)
from jaxnn.curvature.products import gnvp as gnvp, hvp as hvp

__all__: list[str]
