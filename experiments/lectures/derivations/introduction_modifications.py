# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Introduction to Neural Networks (lecture notes), "Modifications": norms and dropout.

θ are all weights of a network. The mask α of the example has three entries, W^1 is 4 by 3. Batch
normalisation is left alone: its equation defines a layer, and no gradient of it is given.
"""

from functools import partial

import numpy as np

from experiments.lectures.derivations.algebra import entrywise, product
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.introduction_batch import EQUATIONS as BATCH
from experiments.lectures.derivations.introduction_point import EQUATIONS as POINT
from experiments.lectures.derivations.introduction_softmax import EQUATIONS as SOFTMAX
from experiments.lectures.derivations.network import Case, Setting

FIGURE = Setting(sizes=(3, 4, 2, 2), output="softmax", cost="cross entropy")
STRENGTH = 0.3
COLUMNS = np.array([1.0, 1.0, 0.0])
ENTRIES = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])


def theta(c: Case) -> np.ndarray:
    """All weights in a row."""
    return np.concatenate([w.ravel() for w in c.w.values()])


def without_last_column(c: Case) -> np.ndarray:
    """W^1 with zeros in its third column, entry by entry as the notes show it."""
    rows = c.w[1]
    return np.array([[row[0], row[1], 0.0] for row in rows])


def masked(c: Case) -> np.ndarray:
    """W^1 with zeros where `ENTRIES` has them, entry by entry as the notes show it."""
    w = c.w[1]
    return np.array(
        [
            [w[0, 0], 0.0, w[0, 2]],
            [w[1, 0], w[1, 1], 0.0],
            [0.0, w[2, 1], w[2, 2]],
            [w[3, 0], w[3, 1], 0.0],
        ]
    )


on_figure = partial(Equation, setting=FIGURE)

EQUATIONS = (
    on_figure(
        "L1 norm",
        "|θ|_1 is the sum of the parameters",
        truth=lambda c: np.linalg.norm(theta(c), 1),
        written=lambda c: np.sum(theta(c)),
        right=lambda c: np.sum(np.abs(theta(c))),
        wrong="no norm: it can be negative",
        form="|θ|_1 = Σ |θ_i|",
    ),
    on_figure(
        "L2 norm",
        "|θ|_2 is the sum of the squares",
        truth=lambda c: np.linalg.norm(theta(c)),
        written=lambda c: np.sum(theta(c) ** 2),
        right=lambda c: np.sqrt(np.sum(theta(c) ** 2)),
        wrong="the sum of squares is the square of the norm",
        form="|θ|_2 = (Σ θ_i²)^½; the penalty is |θ|_2²",
    ),
    on_figure(
        "Norms, λ",
        "λ f(θ) = |θ|_1",
        truth=lambda c: STRENGTH * np.linalg.norm(theta(c), 1),
        written=lambda c: np.sum(np.abs(theta(c))),
        right=lambda c: STRENGTH * np.sum(np.abs(theta(c))),
        wrong="λ is lost on the right",
        form="λ f(θ) = λ |θ|_1",
    ),
    on_figure(
        "Dropout, W . α",
        "W^1 . α is W^1 with the columns zeroed where α = 0",
        truth=without_last_column,
        written=lambda c: product(c.w[1], COLUMNS),
        right=lambda c: product(c.w[1], np.diag(COLUMNS)),
        wrong="a matrix times a vector is a vector",
        form="W^1 diag(α)",
    ),
    on_figure(
        "Dropout, text",
        "a column set to zero is a neuron of the layer before cut off",
        truth=lambda c: product(c.w[1], entrywise(COLUMNS, c.a[0])),
        written=lambda c: product(without_last_column(c), c.a[0]),
    ),
    on_figure(
        "Dropout, matrix",
        "the mask that is a matrix multiplies W^1 entry by entry",
        truth=masked,
        written=lambda c: entrywise(c.w[1], ENTRIES),
    ),
)

NOTES = Source(
    "Introduction",
    "Introduction to Neural Networks, lecture notes, no author, no year",
    (*SOFTMAX, *POINT, *BATCH, *EQUATIONS),
)
