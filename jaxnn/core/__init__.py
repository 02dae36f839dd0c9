"""What everything is made of: values, parameters, factors, and the contract of a layer.

With these names a layer, a factor or a record of one's own is written, see `jaxnn/README.md`.
"""

from jaxnn.core.factors import Factor, Formed, Masked, Outer, Rows, Scaled, Stacked, Sum, Tied
from jaxnn.core.layer import Layer, Shape
from jaxnn.core.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights
from jaxnn.core.types import Array, Key, Params, Read, Tree
from jaxnn.core.values import Pytree, Static, static

__all__ = [
    "Affine",
    "Array",
    "Factor",
    "Formed",
    "Key",
    "Layer",
    "Masked",
    "Outer",
    "Params",
    "Pytree",
    "Read",
    "Rows",
    "ScaleShift",
    "Scaled",
    "Shape",
    "Stacked",
    "Static",
    "Sum",
    "Table",
    "Tied",
    "Tree",
    "count_parameters",
    "everything",
    "static",
    "weights",
]
