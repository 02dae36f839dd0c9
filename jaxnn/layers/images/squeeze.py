"""Squeeze-and-excite: channels weighed by what all positions say."""

from jaxnn.layers.activations import linear, relu, sigmoid
from jaxnn.layers.combinators import serial
from jaxnn.layers.dense import Dense
from jaxnn.layers.images.whole import GlobalAvgPool
from jaxnn.layers.product import Product


def squeeze_excite(channels: int, ratio: int = 16) -> Product:
    """x times a weight between 0 and 1 for each of its `channels`, the same at all positions.

        y = x sigmoid(w_2 relu(w_1 m + b_1) + b_2),   m the mean of x over all positions

    with channels / ratio units between, at least one. Source: Hu, Shen and Sun 2018, section 3.
    """
    weigh = serial(
        GlobalAvgPool(keepdims=True),
        Dense(max(1, channels // ratio)),
        relu,
        Dense(channels),
        sigmoid,
    )
    return Product((linear, weigh))
