# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Neural networks (θ notation): softmax, dimensions, and error functions.

Nothing is numbered there; rows are named by section. The second half is in `theta_procedure.py`.
"""

from functools import partial
from math import prod

import jax
import numpy as np

from experiments.lectures.derivations.algebra import Misfit, normalised, product, sigma
from experiments.lectures.derivations.autodiff import in_float64
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.network import EXAMPLES, Case, Setting
from experiments.lectures.derivations.recursion import with_unit
from experiments.lectures.derivations.theta import outputs, thetas

REAL = Setting(sizes=(4, 2, 3, 1), example=None)
REAL_SUM = Setting(sizes=(4, 2, 3, 1), example=None, cost="square")
BINARY = Setting(sizes=(4, 2, 3, 1), example=None, cost="binary cross entropy")
CLASSES = Setting(example=None, output="softmax", cost="cross entropy")
FIGURE_5 = Setting(sizes=(4, 2, 3, 1))


def one_by_one(c: Case, layer: int, unit: bool) -> np.ndarray:
    """a_j = σ(θ_j . a) with or without the bias unit in a."""
    theta, a = thetas(c)[layer - 1], outputs(c)[layer - 1]
    a = with_unit(a) if unit else a
    return np.array([sigma(product(theta[j], a)) for j in range(len(theta))])


def column(c: Case, layer: int) -> np.ndarray:
    """σ(Θ a) as a matrix of one column, with the bias unit in a."""
    return sigma(product(thetas(c)[layer - 1], with_unit(outputs(c)[layer - 1])[:, None]))


def rows(c: Case, chosen: list[int]) -> np.ndarray:
    """a^3 of figure 5 with the rows of Θ^2 as chosen."""
    if max(chosen) >= len(c.z[2]):
        raise Misfit(f"row {max(chosen) + 1} of {len(c.z[2])}")
    return sigma(product(thetas(c)[2], with_unit(c.a[1]))[chosen])


def blank(*shape: int) -> np.ndarray:
    """Stands for a matrix of which only the dimensions are claimed."""
    return np.zeros(shape)


def like(c: Case, i: int) -> np.ndarray:
    """`blank` with the dimensions of Θ^i."""
    return np.zeros_like(thetas(c)[i])


def targets(c: Case) -> tuple[np.ndarray, np.ndarray]:
    """y and ŷ, or p_1, of all examples, for a network with one output."""
    return c.y[0], c.a[c.last][0]


def squares(c: Case) -> float:
    """Σ_i (y - ŷ)²."""
    return sum((y - guess) ** 2 for y, guess in zip(*targets(c), strict=True))


def binary_cross_entropy(c: Case) -> float:
    """-1/N Σ_i (1 - y) log(1 - p_1) + y log p_1."""
    pairs = zip(*targets(c), strict=True)
    return -sum((1 - y) * np.log(1 - p) + y * np.log(p) for y, p in pairs) / EXAMPLES


def likelihood(c: Case) -> float:
    """Π_i (1 - p_1)^(1 - y) p_1^y."""
    return prod((1 - p) ** (1 - y) * p**y for y, p in zip(*targets(c), strict=True))


def class_scores(c: Case) -> np.ndarray:
    """θ_c . a^L for each class and example, with the bias unit."""
    a = np.stack([with_unit(column) for column in c.a[c.last - 1].T], axis=1)
    return product(thetas(c)[c.last], a)


def cross_entropy(c: Case) -> float:
    """-1/N Σ_i Σ_c y_c log p_c."""
    terms = [y * np.log(p) for y, p in zip(c.y.ravel(), c.a[c.last].ravel(), strict=True)]
    return -sum(terms) / EXAMPLES


on_classes = partial(Equation, setting=CLASSES)
on_figure = partial(Equation, setting=FIGURE_5)

EQUATIONS = (
    on_classes(
        "Softmax",
        "σ(i, z) = e^z_i / Σ_j e^z_j",
        truth=lambda c: in_float64(lambda z: jax.nn.softmax(z, axis=0), c.z[c.last]),
        written=lambda c: np.exp(c.z[c.last]) / np.exp(c.z[c.last]).sum(0),
    ),
    on_figure(
        "dim Θ^i",
        "Θ^i is N_(i+1) by N_i + 1",
        truth=lambda c: [like(c, i) for i in (1, 2, 3)],
        written=lambda c: [blank(len(c.a[i]), len(c.a[i - 1]) + 1) for i in (1, 2, 3)],
    ),
    on_figure(
        "a_j^i",
        "a_j^i = σ(θ_j . a^(i-1)) with a^(i-1) = (a_1, ..., a_N)",
        truth=lambda c: outputs(c)[3],
        written=lambda c: one_by_one(c, 3, unit=False),
        right=lambda c: one_by_one(c, 3, unit=True),
        wrong="θ_j has an entry for the bias unit, a^(i-1) has none",
        form="a^(i-1) = (1, a_1, ..., a_N), as in the examples",
    ),
    on_figure(
        "a^i",
        "a^i = σ(Θ^(i-1) a^(i-1))ᵀ",
        truth=lambda c: outputs(c)[3][:, None],
        written=lambda c: column(c, 3).T,
        right=lambda c: column(c, 3),
        wrong="the transpose makes a row of the column (as scanned)",
        form="σ(Θ^(i-1) a^(i-1))",
    ),
    on_figure(
        "Figure 5, a^3",
        "a^3 is made of θ_2, θ_2 and θ_3",
        truth=lambda c: outputs(c)[3],
        written=lambda c: rows(c, [1, 1, 2]),
        right=lambda c: rows(c, [0, 1, 2]),
        wrong="θ_2 stands there twice (as scanned; figure 3 has it right)",
        form="θ_1, θ_2 and θ_3",
    ),
    on_figure(
        "Figure 5, Θ^3",
        "Θ^3 has the row θ_1 twice",
        truth=lambda c: outputs(c)[4],
        written=lambda c: sigma(product(thetas(c)[3][[0, 0]], with_unit(c.a[2]))),
        right=lambda c: sigma(product(thetas(c)[3], with_unit(c.a[2]))),
        wrong="two rows for one output neuron (as scanned)",
        form="Θ^3 is a single row",
    ),
    Equation(
        "Real output, RSS",
        "C = Σ_i (y - ŷ)²",
        truth=lambda c: EXAMPLES * c.cost,
        written=squares,
        setting=REAL_SUM,
    ),
    Equation(
        "Real output, MSE",
        "C = 1/(2N) Σ_i (y - ŷ)²",
        truth=lambda c: c.cost,
        written=lambda c: squares(c) / (2 * EXAMPLES),
        setting=REAL,
    ),
    Equation(
        "Binary output, Θ^L",
        "Θ^L is 1 by N_L",
        truth=lambda c: like(c, c.last),
        written=lambda c: blank(1, len(c.a[c.last - 1])),
        setting=BINARY,
        right=lambda c: blank(1, len(c.a[c.last - 1]) + 1),
        wrong="the column of the biases, θ_0, is not counted, though it is written out",
        form="1 by N_L + 1",
    ),
    Equation(
        "Binary output, BCE",
        "C = -1/N Σ_i (1 - y) log(1 - p_1) + y log p_1",
        truth=lambda c: c.cost,
        written=binary_cross_entropy,
        setting=BINARY,
    ),
    Equation(
        "Binary output, log L",
        "-1/N log Π_i (1 - p_1)^(1-y) p_1^y is the same",
        truth=lambda c: c.cost,
        written=lambda c: -np.log(likelihood(c)) / EXAMPLES,
        setting=BINARY,
    ),
    on_classes(
        "Multinomial, C",
        "C = -1/N Σ_i Σ_c y_c log p_c",
        truth=lambda c: c.cost,
        written=cross_entropy,
    ),
    on_classes(
        "Multinomial, p_c",
        "p_c = e^(θ_c . a^L) / Σ_k e^(θ_k . a^L)",
        truth=lambda c: c.a[c.last],
        written=lambda c: normalised(np.exp(class_scores(c))),
    ),
    on_classes(
        "Multinomial, Θ^L",
        "Θ^L is K by N_L",
        truth=lambda c: like(c, c.last),
        written=lambda c: blank(len(c.y), len(c.a[c.last - 1])),
        right=lambda c: blank(len(c.y), len(c.a[c.last - 1]) + 1),
        wrong="the column of the biases is not counted",
        form="K by N_L + 1",
    ),
)
