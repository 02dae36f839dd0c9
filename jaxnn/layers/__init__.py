"""Layers: each one class, forward and backward side by side; and layers made of layers."""

from jaxnn.layers.activations import leaky_relu, linear, relu, sigmoid, softmax, step, tanh
from jaxnn.layers.batch_norm import BatchNorm, Rescale
from jaxnn.layers.combinators import Parallel, Serial, Skip, serial
from jaxnn.layers.dense import Dense
from jaxnn.layers.dropout import DropConnect, Dropout
from jaxnn.layers.embedding import Embedding, OneHot
from jaxnn.layers.precision import MixedPrecision
from jaxnn.layers.rectifiers import elu, gelu, silu, softplus
from jaxnn.layers.repeat import Repeat
from jaxnn.layers.reshape import Flatten, Pixels

__all__ = [
    "BatchNorm",
    "Dense",
    "DropConnect",
    "Dropout",
    "Embedding",
    "Flatten",
    "MixedPrecision",
    "OneHot",
    "Parallel",
    "Pixels",
    "Repeat",
    "Rescale",
    "Serial",
    "Skip",
    "elu",
    "gelu",
    "leaky_relu",
    "linear",
    "relu",
    "serial",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "step",
    "tanh",
]
