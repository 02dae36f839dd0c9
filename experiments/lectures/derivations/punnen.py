# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Punnen, The Maths behind Neural Networks, chapter 4: the chain rule along a single path.

The chapter numbers nothing and takes one weight in each layer; its last layer, l, is layer 4 here.
"""

from functools import partial

import numpy as np

from experiments.lectures.derivations.algebra import sigma
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.network import Case, Setting
from experiments.lectures.derivations.partials import a_by_z, z_by_w

CHAIN = Setting(sizes=(1, 1, 1, 1, 1))
RATE = 0.1


def along_the_path(c: Case, layer: int) -> np.ndarray:
    """∂z/∂w ∂a/∂z ∂C/∂a of a layer."""
    return z_by_w(c, layer) * a_by_z(c, layer) * c.da[layer]


one_neuron = partial(Equation, setting=CHAIN)

NOTES = Source(
    "Punnen",
    "Alex Punnen, The Maths behind Neural Networks, chapter 4, no year",
    (
        one_neuron(
            "Structure",
            "a^l = σ(w^l a^(l-1) + b^l)",
            truth=lambda c: c.a[4],
            written=lambda c: sigma(c.w[4] * c.a[3] + c.b[4]),
        ),
        Equation(
            "Cost",
            "C = ½ |y - a^L|²",
            truth=lambda c: c.cost,
            written=lambda c: np.linalg.norm(c.y - c.a[c.last]) ** 2 / 2,
        ),
        one_neuron(
            "Chain rule, l",
            "∂C/∂w^l = ∂z^l/∂w^l ∂a^l/∂z^l ∂C/∂a^l",
            truth=lambda c: c.dw[4],
            written=lambda c: along_the_path(c, 4),
        ),
        one_neuron(
            "Update, l",
            "w^l changes by -rate C/w^l",
            truth=lambda c: -RATE * c.dw[4],
            written=lambda c: -RATE * c.cost / c.w[4],
            right=lambda c: -RATE * along_the_path(c, 4),
            wrong="a quotient for a derivative (as scanned; layer l-1 has the derivative)",
            form="-rate ∂C/∂w^l",
        ),
        one_neuron(
            "Chain rule, l-1",
            "∂C/∂w^(l-1) = ∂z^(l-1)/∂w^(l-1) ∂a^(l-1)/∂z^(l-1) ∂C/∂a^(l-1)",
            truth=lambda c: c.dw[3],
            written=lambda c: along_the_path(c, 3),
        ),
        one_neuron(
            "Update, l-1",
            "w^(l-1) changes by -rate ∂C/∂w^(l-1)",
            truth=lambda c: -RATE * c.dw[3],
            written=lambda c: -RATE * along_the_path(c, 3),
        ),
    ),
)
