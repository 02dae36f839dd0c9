"""What the models of planted mistakes share: how one is put together, and how arguments are drawn.

Every array is random and the sizes of a model are different primes, since sizes that coincide,
ones and zeros hide mistakes: in a factor 1/n, in a transposed weight, in a bias.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Candidate, Mistake, Model


def planted(
    name: str,
    forward: Callable[..., Any],
    backward: Callable[[int, tuple[Any, ...], Any], tuple[Any, ...]],
    draw: Callable[[int], tuple[Any, ...]],
    mistakes: tuple[Mistake, ...],
    **more: Any,
) -> Model:
    """The model whose candidates run `backward(number, args, dy)`.

    Its `plant` raises ValueError for a number that is neither 0 nor one of its mistakes.
    """
    numbers = [0, *(mistake.number for mistake in mistakes)]

    def plant(number: int) -> Candidate:
        if number not in numbers:
            raise ValueError(f"{name}: expected a mistake out of {numbers}, got {number!r}")
        return Candidate(forward, functools.partial(backward, number))

    return Model(name, forward, draw, plant, mistakes, **more)


def normal(rng: np.random.Generator, *shape: int) -> Any:
    """Standard normal numbers in float32."""
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


def dense_params(rng: np.random.Generator, n_in: int, n_out: int) -> dict[str, Any]:
    """w (n_in, n_out) of variance 1 / n_in, and biases too small to switch a relu off for good."""
    return {"w": normal(rng, n_in, n_out) / n_in**0.5, "b": 0.1 * normal(rng, n_out)}


def dense(x: Any, params: dict[str, Any]) -> Any:
    """z = x w + b."""
    return x @ params["w"] + params["b"]
