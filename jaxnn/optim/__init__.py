"""Optimizers: what turns a gradient, or another reading, into an update."""

from jaxnn.optim.averaging import Average, Averaged, averaged
from jaxnn.optim.optimizers import SGD, AdaGrad, Adam, AdamW, Optimizer, OptimizerState, RMSProp
from jaxnn.optim.transforms import (
    Chain,
    Transformation,
    apply_updates,
    chain,
    clip_by_global_norm,
    clip_by_value,
    soft_threshold,
)

__all__ = [
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Average",
    "Averaged",
    "Chain",
    "Optimizer",
    "OptimizerState",
    "RMSProp",
    "Transformation",
    "apply_updates",
    "averaged",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "soft_threshold",
]
