"""The public names of `jaxnn.sweep`."""

from jaxnn.sweep.accumulation import accumulate as accumulate
from jaxnn.sweep.backpropagation import backprop as backprop
from jaxnn.sweep.inspection import Summary as Summary, summary as summary
from jaxnn.sweep.prediction import accuracy as accuracy, evaluate as evaluate, predict as predict

__all__: list[str]
