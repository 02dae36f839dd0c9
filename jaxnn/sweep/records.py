"""What travels together: the objective, and the mini-batch it is taken of."""

from typing import Any, NamedTuple

from jaxnn.core.layer import Layer
from jaxnn.core.types import Key, Tree
from jaxnn.losses.loss import Loss


class Objective(NamedTuple):
    """What is made small: C = sum_n c_n l_n, plus a penalty on the parameters if there is one."""

    net: Layer
    loss: Loss
    penalty: Any = None


class Batch(NamedTuple):
    """Examples: inputs x and targets y with the batch first, weights (batch,) or one for each
    position, (batch, ...), or None, and the key of random layers."""

    x: Tree
    y: Tree
    weights: Any = None
    key: Key = None
