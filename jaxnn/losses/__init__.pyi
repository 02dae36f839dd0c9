"""The public names of `jaxnn.losses`."""

from jaxnn.losses.cross_entropy import (
    sigmoid_cross_entropy as sigmoid_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
)
from jaxnn.losses.linear_cross_entropy import linear_cross_entropy as linear_cross_entropy
from jaxnn.losses.loss import Loss as Loss, half_square as half_square, sum_square as sum_square
from jaxnn.losses.penalties import Penalty as Penalty, elastic as elastic, l1 as l1, l2 as l2

__all__: list[str]
