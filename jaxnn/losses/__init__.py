"""Losses and penalties: what is made small, and its derivative."""

from jaxnn.losses.cross_entropy import sigmoid_cross_entropy, softmax_cross_entropy
from jaxnn.losses.loss import Loss, half_square, sum_square
from jaxnn.losses.penalties import Penalty, elastic, l1, l2

__all__ = [
    "Loss",
    "Penalty",
    "elastic",
    "half_square",
    "l1",
    "l2",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sum_square",
]
