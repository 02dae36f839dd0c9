"""The public names of `jaxnn.readings`."""

from jaxnn.readings.clipping import clipped as clipped
from jaxnn.readings.grams import gram as gram, influence as influence
from jaxnn.readings.linear import (
    directional as directional,
    factors as factors,
    gradient as gradient,
    per_example as per_example,
    weighted as weighted,
)
from jaxnn.readings.moments import second_moment as second_moment, variance as variance
from jaxnn.readings.noise import Noise as Noise, noise_scale as noise_scale
from jaxnn.readings.norms import SquaredNorms as SquaredNorms, squared_norms as squared_norms
from jaxnn.readings.reading import Reading as Reading, total as total

__all__: list[str]
