"""Optimizers: what turns a gradient, or another reading, into an update."""

from jaxnn.optim.asking import reported
from jaxnn.optim.averaging import Average, Averaged, averaged
from jaxnn.optim.chaining import Chain, chain
from jaxnn.optim.clipping import clip_examples
from jaxnn.optim.kfac import KFAC
from jaxnn.optim.noise_scale import track_noise_scale
from jaxnn.optim.optimizers import SGD, AdaGrad, Adam, AdamW, Optimizer, OptimizerState, RMSProp
from jaxnn.optim.transforms import (
    Transformation,
    apply_updates,
    clip_by_global_norm,
    clip_by_value,
    soft_threshold,
)

__all__ = [
    "KFAC",
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
    "clip_examples",
    "reported",
    "soft_threshold",
    "track_noise_scale",
]
