"""The public names of `jaxnn.perceptron`."""

from jaxnn.perceptron.gates import (
    and_gate as and_gate,
    beside as beside,
    convex_region as convex_region,
    half_planes as half_planes,
    negated as negated,
    or_gate as or_gate,
    regions_of_classes as regions_of_classes,
    threshold_network as threshold_network,
    union_of_regions as union_of_regions,
    xor_network as xor_network,
)
from jaxnn.perceptron.rules import (
    Fit as Fit,
    novikoff_bound as novikoff_bound,
    train_averaged_perceptron as train_averaged_perceptron,
    train_multiclass_perceptron as train_multiclass_perceptron,
    train_perceptron as train_perceptron,
    train_pocket_perceptron as train_pocket_perceptron,
)
from jaxnn.perceptron.threshold import homogeneous as homogeneous, threshold_unit as threshold_unit

__all__: list[str]
