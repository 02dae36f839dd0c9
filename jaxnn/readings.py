"""Readings: what to make of a factor. Adding one is adding one function.

A reading is a module-level function of a factor and of the weights c of the examples in the
objective, a number or (batch,). `backprop(..., read=reading)` puts its answer in the place of
every parameter, from one backward sweep.
"""

from typing import Any

from jaxnn.factors import Factor


def gradient(factor: Factor, c: Any) -> Any:
    """dC/dw = sum_n c[n] dl[n]/dw, shaped like the parameter."""
    return factor.contract(c)


def factors(factor: Factor, c: Any) -> Factor:
    """The factor itself: inputs and errors of the layer.

    For a bias, `.d` holds the error dl[n]/dz of every example in front of that layer's addition,
    the delta of the textbooks. It is not yet multiplied by c, unless the network mixes examples.
    """
    del c
    return factor
