"""Neural networks in JAX whose backward pass is written by hand."""

from jaxnn.factors import Factor, Outer, Rows, Scaled, Sum, Tied
from jaxnn.layer import Layer, Shape
from jaxnn.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights
from jaxnn.readings import factors, gradient

__all__ = [
    "Affine",
    "Factor",
    "Layer",
    "Outer",
    "Rows",
    "ScaleShift",
    "Scaled",
    "Shape",
    "Sum",
    "Table",
    "Tied",
    "count_parameters",
    "everything",
    "factors",
    "gradient",
    "weights",
]
