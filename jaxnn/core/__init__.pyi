"""The public names of `jaxnn.core`."""

from jaxnn.core.composed import (
    Across as Across,
    Along as Along,
    Masked as Masked,
    Stacked as Stacked,
    Tied as Tied,
)
from jaxnn.core.conv_outer import ConvOuter as ConvOuter, LocalOuter as LocalOuter
from jaxnn.core.factors import (
    Factor as Factor,
    Formed as Formed,
    Outer as Outer,
    Rows as Rows,
    Scaled as Scaled,
    Sum as Sum,
    Terms as Terms,
    Transposed as Transposed,
)
from jaxnn.core.layer import Layer as Layer, Shape as Shape
from jaxnn.core.parameters import (
    Affine as Affine,
    Normed as Normed,
    ScaleShift as ScaleShift,
    Table as Table,
    count_parameters as count_parameters,
    everything as everything,
    weights as weights,
)
from jaxnn.core.types import (
    Array as Array,
    Key as Key,
    Params as Params,
    Read as Read,
    Tree as Tree,
)
from jaxnn.core.values import Pytree as Pytree, Static as Static, static as static

__all__: list[str]
