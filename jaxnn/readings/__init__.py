"""Readings: what to make of the factors of a backward sweep. Adding one is adding one function.

    value, (grads, squares) = backprop(net, loss, params, x, y, read=(gradient, squared_norms))

`read` is a reading, several in a tuple, or a module-level function of a factor and of the weights c
of the examples in the objective, a number or (batch,): its answer takes the place of every
parameter. All of them come from one backward sweep.
"""

from jaxnn.readings.clipping import clipped
from jaxnn.readings.grams import gram, influence
from jaxnn.readings.linear import directional, factors, gradient, per_example, weighted
from jaxnn.readings.moments import second_moment, variance
from jaxnn.readings.noise import Noise, noise_scale
from jaxnn.readings.norms import SquaredNorms, squared_norms
from jaxnn.readings.reading import Reading, total

__all__ = [
    "Noise",
    "Reading",
    "SquaredNorms",
    "clipped",
    "directional",
    "factors",
    "gradient",
    "gram",
    "influence",
    "noise_scale",
    "per_example",
    "second_moment",
    "squared_norms",
    "total",
    "variance",
    "weighted",
]
