"""Forward and backward through a network: backpropagation, micro-batches, prediction, summary."""

from jaxnn.sweep.accumulation import accumulate
from jaxnn.sweep.backpropagation import backprop
from jaxnn.sweep.inspection import Summary, summary
from jaxnn.sweep.prediction import accuracy, evaluate, predict

__all__ = [
    "Summary",
    "accumulate",
    "accuracy",
    "backprop",
    "evaluate",
    "predict",
    "summary",
]
