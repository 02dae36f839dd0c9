"""The typed shape of an experiment: which data, which network, how it is trained.

Plain frozen dataclasses, so that a config can be hashed, compared, and read by `tyro`. Pydantic
reads the ranges and the `kind` words (see `experiments.config.file`). The three parts have
files of their own; import everything from here. A string under a field is its help text on the
command line.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from experiments.config.data import Data, DataName
from experiments.config.network import (
    Activation,
    ActivationName,
    BatchNorm,
    ConstantInit,
    Dense,
    Dropout,
    Flatten,
    Glorot,
    HalfSquare,
    He,
    InitSpec,
    LayerSpec,
    Lecun,
    LossSpec,
    Model,
    Normal,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SumSquare,
    Uniform,
)
from experiments.config.training import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ConstantRate,
    Cosine,
    Exponential,
    Inverse,
    OptimizerSpec,
    Plateau,
    RMSProp,
    ScheduleSpec,
    Step,
    Train,
)
from experiments.config.types import Section


@dataclass(frozen=True, kw_only=True)
class Experiment(Section):
    """Everything one run depends on."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
    """Letters, digits, - and _ only: it names the folder of the run."""
    # JAX keeps 32 bits of a seed: 2**32 would silently mean 0.
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Start of every random choice."""
    data: Data
    model: Model
    train: Train


__all__ = [
    "SGD",
    "Activation",
    "ActivationName",
    "AdaGrad",
    "Adam",
    "AdamW",
    "BatchNorm",
    "ConstantInit",
    "ConstantRate",
    "Cosine",
    "Data",
    "DataName",
    "Dense",
    "Dropout",
    "Experiment",
    "Exponential",
    "Flatten",
    "Glorot",
    "HalfSquare",
    "He",
    "InitSpec",
    "Inverse",
    "LayerSpec",
    "Lecun",
    "LossSpec",
    "Model",
    "Normal",
    "OptimizerSpec",
    "Plateau",
    "RMSProp",
    "ScheduleSpec",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "Step",
    "SumSquare",
    "Train",
    "Uniform",
]
