"""Derivatives by `jax`, in float64 whatever the global setting. Nothing in `jaxnn` uses this."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def in_float64(function: Callable[..., Any], *args: Any) -> Any:
    """`function(*args)` with args as float64 arrays of jax and the answer as arrays of numpy."""
    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, function(*jax.tree.map(jnp.asarray, args)))


def derivative(function: Callable[..., Any], *args: Any, by: int = 0) -> np.ndarray:
    """df/dx for the argument x number `by`, shaped (*f, *x): a gradient or a whole Jacobian."""
    return in_float64(_jacobian(function, by), *args)


@functools.cache
def _jacobian(function: Callable[..., Any], by: int) -> Callable[..., Any]:
    return jax.jit(jax.jacrev(function, by))
