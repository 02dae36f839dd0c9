"""Schedules: the learning rate as a function of the step t = 0, 1, 2, ... (one per mini-batch).

A plain number as `learning_rate` is constant. The numbers of a schedule are pytree leaves, so
changing one does not compile again.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp

from jaxnn.core.ranges import NotNegative, Positive
from jaxnn.core.types import Array, Number
from jaxnn.core.values import Pytree

__all__ = [
    "ConstantRate",
    "CosineDecay",
    "ExponentialDecay",
    "InverseDecay",
    "Schedule",
    "StepDecay",
    "WarmUp",
]


class Schedule(Pytree):
    """Base of all schedules: called with t, a floating-point scalar, returns the rate at t."""

    def __call__(self, t: Array) -> Any:
        raise NotImplementedError(f"write {type(self).__name__}.__call__(self, t)")


class ConstantRate(Schedule):
    """The same rate at every step: a number as a schedule."""

    rate: Annotated[Number, NotNegative]
    """Learning rate."""

    def __call__(self, t: Array) -> Any:
        return self.rate


class ExponentialDecay(Schedule):
    """rate * factor^(t / every), continuously."""

    rate: Annotated[Number, NotNegative]
    """Learning rate at the start."""
    factor: Annotated[Number, Positive]
    """What the learning rate is multiplied by."""
    every: Annotated[Number, Positive] = 1
    """Over so many iterations."""

    def __call__(self, t: Array) -> Any:
        return self.rate * self.factor ** (t / self.every)


class StepDecay(ExponentialDecay):
    """rate * factor^floor(t / every)."""

    def __call__(self, t: Array) -> Any:
        return self.rate * self.factor ** jnp.floor(t / self.every)


class InverseDecay(Schedule):
    """rate / (1 + decay * t). Source: Robbins and Monro 1951, for rates of the order 1/t."""

    rate: Annotated[Number, NotNegative]
    """Learning rate at the start."""
    decay: Annotated[Number, NotNegative]
    """How fast it falls."""

    def __call__(self, t: Array) -> Any:
        return self.rate / (1 + self.decay * t)


class CosineDecay(Schedule):
    """final + (rate - final) (1 + cos(pi min(t, steps) / steps)) / 2.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """

    rate: Annotated[Number, NotNegative]
    """Learning rate at the start."""
    steps: Annotated[Number, Positive]
    """Iterations until it is down."""
    final: Annotated[Number, NotNegative] = 0.0
    """Learning rate at the end."""

    def __call__(self, t: Array) -> Any:
        fraction = jnp.minimum(t, self.steps) / self.steps
        return self.final + 0.5 * (self.rate - self.final) * (1 + jnp.cos(math.pi * fraction))


class WarmUp(Schedule):
    """then(t) * min(1, (t + 1) / steps): linear from rate/steps up to the schedule `then`.

    `then` may be a number. Source: Goyal et al. 2017, section 2.2.
    """

    steps: Annotated[Number, Positive]
    """Iterations over which the learning rate first grows in a straight line."""
    then: Annotated[Number, NotNegative] | Callable[[Array], Any]
    """The schedule from there on."""

    def __call__(self, t: Array) -> Any:
        return rate_at(self.then, t) * jnp.minimum(1, (t + 1) / self.steps)


def rate_at(learning_rate: Number, t: Array) -> Any:
    """The rate of a schedule at step t, or the number itself."""
    return learning_rate(t) if callable(learning_rate) else learning_rate
