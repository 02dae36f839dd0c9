"""The typed shape of an experiment: which data, which network, how it is trained.

Plain frozen dataclasses, so that a config can be hashed, compared, and read by `tyro`. Pydantic
reads the ranges and the `kind` words (see `experiments.config.file`). The three parts have
files of their own; import everything from here. A string under a field is its help text on the
command line.
"""

from typing import Annotated, Any

from pydantic import Field

from experiments.config.data import Data, DataName
from experiments.config.network import (
    INITIALIZERS,
    LAYERS,
    LOSSES,
    Activation,
    ActivationName,
    LayerSpec,
    LossSpec,
    Model,
)
from experiments.config.training import (
    OPTIMIZERS,
    SCHEDULES,
    OptimizerSpec,
    Plateau,
    ScheduleSpec,
    Train,
)
from experiments.config.types import Section, section


@section
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


_KINDS = {
    made.__name__: made
    for tables in (INITIALIZERS, LAYERS, LOSSES, OPTIMIZERS, SCHEDULES)
    for made in tables.values()
}


def __getattr__(name: str) -> Any:
    """The table of a kind by the name of its class, such as `Dense`, `Glorot` or `Cosine`."""
    if name in _KINDS:
        return _KINDS[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Activation",
    "ActivationName",
    "Data",
    "DataName",
    "Experiment",
    "LayerSpec",
    "LossSpec",
    "Model",
    "OptimizerSpec",
    "Plateau",
    "ScheduleSpec",
    "Train",
]
