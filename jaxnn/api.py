"""The public names of the library, which `import jaxnn` offers as its own."""

from jaxnn.activations import (
    elu,
    gelu,
    leaky_relu,
    linear,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    step,
    tanh,
)
from jaxnn.backpropagation import backprop
from jaxnn.batch_norm import BatchNorm, Rescale
from jaxnn.combinators import Parallel, Serial, Skip, serial
from jaxnn.cross_entropy import sigmoid_cross_entropy, softmax_cross_entropy
from jaxnn.dense import Dense
from jaxnn.dropout import DropConnect, Dropout
from jaxnn.embedding import Embedding, OneHot
from jaxnn.factors import Factor, Masked, Outer, Rows, Scaled, Sum, Tied
from jaxnn.inference import Statistics, average_statistics, freeze
from jaxnn.initializers import (
    constant,
    glorot,
    he,
    lecun,
    normal,
    uniform,
    variance_scaling,
    zeros,
)
from jaxnn.inspection import summary
from jaxnn.layer import Layer, Shape
from jaxnn.losses import Loss, half_square, sum_square
from jaxnn.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights
from jaxnn.penalties import elastic, l1, l2
from jaxnn.perceptron import (
    Fit,
    novikoff_bound,
    train_averaged_perceptron,
    train_multiclass_perceptron,
    train_perceptron,
    train_pocket_perceptron,
)
from jaxnn.prediction import accuracy, evaluate, predict
from jaxnn.readings import factors, gradient
from jaxnn.reshape import Flatten, Pixels
from jaxnn.schedules import (
    ConstantRate,
    CosineDecay,
    ExponentialDecay,
    InverseDecay,
    StepDecay,
    WarmUp,
)
from jaxnn.threshold import homogeneous, threshold_unit
from jaxnn.training import State, start, train_epoch, train_step
from jaxnn.transforms import (
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
    "Affine",
    "BatchNorm",
    "ConstantRate",
    "CosineDecay",
    "Dense",
    "DropConnect",
    "Dropout",
    "Embedding",
    "ExponentialDecay",
    "Factor",
    "Fit",
    "Flatten",
    "InverseDecay",
    "Layer",
    "Loss",
    "Masked",
    "OneHot",
    "Outer",
    "Parallel",
    "Pixels",
    "RMSProp",
    "Rescale",
    "Rows",
    "ScaleShift",
    "Scaled",
    "Serial",
    "Shape",
    "Skip",
    "State",
    "Statistics",
    "StepDecay",
    "Sum",
    "Table",
    "Tied",
    "WarmUp",
    "accuracy",
    "apply_updates",
    "average_statistics",
    "backprop",
    "chain",
    "clip_by_global_norm",
    "clip_by_value",
    "constant",
    "count_parameters",
    "elastic",
    "elu",
    "evaluate",
    "everything",
    "factors",
    "freeze",
    "gelu",
    "glorot",
    "gradient",
    "half_square",
    "he",
    "homogeneous",
    "l1",
    "l2",
    "leaky_relu",
    "lecun",
    "linear",
    "normal",
    "novikoff_bound",
    "predict",
    "relu",
    "serial",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "soft_threshold",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "start",
    "step",
    "sum_square",
    "summary",
    "tanh",
    "threshold_unit",
    "train_averaged_perceptron",
    "train_epoch",
    "train_multiclass_perceptron",
    "train_perceptron",
    "train_pocket_perceptron",
    "train_step",
    "uniform",
    "variance_scaling",
    "weights",
    "zeros",
]
