"""The perceptron and its rules, threshold units, and networks of gates set by hand."""

from jaxnn.perceptron.gates import (
    and_gate,
    beside,
    convex_region,
    half_planes,
    negated,
    or_gate,
    regions_of_classes,
    threshold_network,
    union_of_regions,
    xor_network,
)
from jaxnn.perceptron.rules import (
    Fit,
    novikoff_bound,
    train_averaged_perceptron,
    train_multiclass_perceptron,
    train_perceptron,
    train_pocket_perceptron,
)
from jaxnn.perceptron.threshold import homogeneous, threshold_unit

__all__ = [
    "Fit",
    "and_gate",
    "beside",
    "convex_region",
    "half_planes",
    "homogeneous",
    "negated",
    "novikoff_bound",
    "or_gate",
    "regions_of_classes",
    "threshold_network",
    "threshold_unit",
    "train_averaged_perceptron",
    "train_multiclass_perceptron",
    "train_perceptron",
    "train_pocket_perceptron",
    "union_of_regions",
    "xor_network",
]
