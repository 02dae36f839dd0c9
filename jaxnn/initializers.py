"""Initialisers: values that draw one parameter, called as `init(key, shape, dtype)`.

Anything that can be called so will do, those of `jax.nn.initializers` included; the ones here
compare by value, so a rebuilt network does not compile again.

The fan rules, for a weight (*window, n_in, n_out): fan in = n_in * prod(window), the number of
terms in one output; fan out = n_out * prod(window), the number of outputs one input feeds.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jaxnn.fast.draws as draws  # not from jaxnn: its names are loaded lazily, and need this file
from jaxnn.core.ranges import Finite, NotNegative, Positive, Range
from jaxnn.core.refusals import require_key
from jaxnn.core.types import Array, Dtype, Key
from jaxnn.core.values import Static, check_number

__all__ = [
    "constant",
    "glorot",
    "he",
    "lecun",
    "normal",
    "uniform",
    "variance_scaling",
    "zeros",
]

Initializer = Callable[[Any, tuple[int, ...], Any], Array]
BiasInitializer = Initializer  # for a vector, which has no fans


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan in, fan out) of a weight (*window, n_in, n_out)."""
    if len(shape) < 2:
        raise ValueError(
            f"fans: expected a weight of shape (..., n_in, n_out), got {shape}; "
            "give vectors such as biases zeros, constant, normal or uniform"
        )
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


class variance_scaling(Static):  # written like a function, because it is used like one
    """Zero mean and variance gain / fan, from a normal or a uniform distribution.

    `fan` is "in", "out" or "average" of the two. `glorot`, `he` and `lecun` are the settings with
    a name; `he.replace(distribution="uniform")` is a variant.
    """

    gain: Annotated[float, Positive]
    """Variance times fan."""
    fan: Literal["in", "out", "average"]
    """Whether inputs are counted, outputs, or both."""
    distribution: Literal["normal", "uniform"]
    """Shape of the distribution; its variance is the same either way."""

    def __repr__(self) -> str:
        return _NAMES.get(self) or super().__repr__()

    def __call__(self, key: Key, shape: tuple[int, ...], dtype: Dtype) -> Array:
        fan_in, fan_out = fans(shape)
        fan = {"in": fan_in, "out": fan_out, "average": (fan_in + fan_out) / 2}[self.fan]
        std = math.sqrt(self.gain / max(fan, 1))
        if self.distribution == "normal":
            return normal(std)(key, shape, dtype)
        bound = math.sqrt(3.0) * std  # a uniform on [-bound, bound] has variance bound^2 / 3
        return uniform(-bound, bound)(key, shape, dtype)


class normal(Static):
    """Normal with mean `mean` and standard deviation `std`."""

    std: Annotated[float, NotNegative]
    """Standard deviation."""
    mean: Annotated[float, Finite] = 0.0
    """Mean."""

    def __call__(self, key: Key, shape: tuple[int, ...], dtype: Dtype) -> Array:
        require_key(self, key, "init(key, x)")
        return draws.normal(key, shape, dtype, self.mean, self.std)


class uniform(Static):
    """Uniform on [low, high)."""

    low: Annotated[float, Finite]
    """Smallest weight."""
    high: Annotated[float, Finite]
    """Largest weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self, "high", Range(self.low, open_low=True))

    def __call__(self, key: Key, shape: tuple[int, ...], dtype: Dtype) -> Array:
        require_key(self, key, "init(key, x)")
        return draws.uniform(key, shape, dtype, self.low, self.high)


class constant(Static):
    """The same number everywhere."""

    value: Annotated[float, Finite]
    """The weight."""

    def __repr__(self) -> str:
        return _NAMES.get(self) or super().__repr__()

    def __call__(self, key: Key, shape: tuple[int, ...], dtype: Dtype) -> Array:
        return draws.full(key, shape, dtype, self.value)


zeros = constant(0.0)
"""0 everywhere: how biases and shifts start."""

glorot = variance_scaling(1.0, "average", "uniform")
"""Uniform with variance 2 / (fan in + fan out). Source: Glorot and Bengio 2010, eq. 16."""

he = variance_scaling(2.0, "in", "normal")
"""Normal with variance 2 / fan in, for `relu`. Source: He et al. 2015, eq. 10."""

lecun = variance_scaling(1.0, "in", "normal")
"""Normal with variance 1 / fan in. Source: LeCun et al. 1998, section 4.6."""

_NAMES = {zeros: "zeros", glorot: "glorot", he: "he", lecun: "lecun"}
