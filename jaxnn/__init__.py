"""Neural networks in JAX whose backward pass is written by hand."""

from jaxnn.layer import Layer, Shape
from jaxnn.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights

__all__ = [
    "Affine",
    "Layer",
    "ScaleShift",
    "Shape",
    "Table",
    "count_parameters",
    "everything",
    "weights",
]
