"""The public names of `jaxnn.training`."""

from jaxnn.training.inference import (
    Statistics as Statistics,
    average_statistics as average_statistics,
    freeze as freeze,
)
from jaxnn.training.options import Options as Options
from jaxnn.training.state import State as State, start as start
from jaxnn.training.steps import train_epoch as train_epoch, train_step as train_step
from jaxnn.training.together import (
    stack as stack,
    train_epoch_together as train_epoch_together,
    unstack as unstack,
)

__all__: list[str]
