"""Second derivatives, and derivatives by the inputs.

    hvp, gnvp                          products of H and G with a vector: (C, Hv)
    ggn_diagonal, hessian_diagonal     diagonals, shaped like the parameters
    kflr, kronecker                    G of every affine map as a Kronecker product
    input_gradient, saliency, ...      what an output, or the loss, answers to

`jaxnn.curvature.products` says what H and G are.
"""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
