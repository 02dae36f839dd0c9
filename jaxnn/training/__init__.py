"""Steps and epochs, many models at once, and the network frozen for inference."""

from jaxnn.training.inference import Statistics, average_statistics, freeze
from jaxnn.training.options import Options
from jaxnn.training.state import State, start
from jaxnn.training.steps import train_epoch, train_step
from jaxnn.training.together import stack, train_epoch_together, unstack

__all__ = [
    "Options",
    "State",
    "Statistics",
    "average_statistics",
    "freeze",
    "stack",
    "start",
    "train_epoch",
    "train_epoch_together",
    "train_step",
    "unstack",
]
