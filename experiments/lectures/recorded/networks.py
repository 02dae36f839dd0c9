"""The networks of the book and their initial parameters, from the book's random numbers."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

import jaxnn as nn

Start = Literal["scaled", "large"]


def network(sizes: Sequence[int]) -> nn.Layer:
    """Dense layers from sizes[0] inputs to sizes[-1] logits, with sigmoids between them.

    The sigmoid of the book's last layer lives in the loss, `jaxnn.sigmoid_cross_entropy`.
    """
    layers: list[nn.Layer] = []
    for size in sizes[1:]:
        layers += [nn.Dense(size), nn.sigmoid]
    return nn.serial(*layers[:-1])


def draw(random: np.random.RandomState, sizes: Sequence[int], start: Start) -> tuple[Any, ...]:
    """Parameters of `network(sizes)`, float64, from the next numbers of the generator.

    All numbers are standard normal. The biases of every layer are drawn first, then the weights of
    every layer as (out, in): the book multiplies from the left, so ours are its transposes. For
    "scaled" the weights are divided by sqrt(n_in); for "large" they are not.
    Source: Nielsen 2015, chapter 3, section on weight initialization.
    """
    biases = [random.standard_normal(n) for n in sizes[1:]]
    params: list[Any] = []
    for n_in, b in zip(sizes, biases, strict=False):
        w = random.standard_normal((len(b), n_in))
        params += [nn.Affine((w / np.sqrt(n_in) if start == "scaled" else w).T, b), ()]
    return tuple(params[:-1])
