"""The public names of `jaxnn.sweep`."""

from jaxnn.sweep.accumulation import accumulate as accumulate
from jaxnn.sweep.backpropagation import backprop as backprop
from jaxnn.sweep.inspection import Summary as Summary, summary as summary
from jaxnn.sweep.memory import memory_report as memory_report
from jaxnn.sweep.metrics import (
    Metric as Metric,
    accuracy as accuracy,
    bits_per_character as bits_per_character,
    perplexity as perplexity,
)
from jaxnn.sweep.prediction import evaluate as evaluate, predict as predict
from jaxnn.sweep.streaming import begin as begin, resume as resume

__all__: list[str]
