"""The typed shape of an experiment: which data, which network, how it is trained.

Plain frozen dataclasses, so that a config can be hashed, compared, and read by `tyro`. Pydantic
reads the ranges and the `kind` words (see `experiments.config_file`). The two larger halves have
files of their own; import everything from here. A string under a field is its help text on the
command line.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from experiments.config_network import (
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
from experiments.config_training import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ConstantRate,
    Cosine,
    Exponential,
    Inverse,
    OptimizerSpec,
    RMSProp,
    ScheduleSpec,
    Step,
    Train,
)
from experiments.config_types import Section

DataName = Literal["digits", "iris", "wine", "breast_cancer", "diabetes", "mnist"]


@dataclass(frozen=True, kw_only=True)
class Data(Section):
    """The examples."""

    name: DataName
    """Which data set."""
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Share of the examples kept for the test; without effect on mnist, which has a test part."""


@dataclass(frozen=True, kw_only=True)
class Experiment(Section):
    """Everything one run depends on."""

    # The pattern matters twice: the name becomes part of a folder's name, and it is the only free
    # text here (see `config_file._stand_in`).
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
    "RMSProp",
    "ScheduleSpec",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "Step",
    "SumSquare",
    "Train",
    "Uniform",
]
