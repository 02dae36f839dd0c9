# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Introduction to Neural Networks (lecture notes): softmax, cross-entropy, and their derivatives.

The notes number little; steps are named by section. As in the notes a point has the target y, a
distribution over the classes, and p = q is the output of the softmax. "Feedforward" and
"Backpropagation" are sections.
"""

from functools import partial

import jax
import numpy as np

from experiments.lectures.derivations.algebra import contract, normalised, plus, product
from experiments.lectures.derivations.autodiff import in_float64
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.network import Case, Setting
from experiments.lectures.derivations.partials import q_by_z, z_by_w

THREE_CLASSES = Setting(output="softmax", cost="cross entropy")
TWO_CLASSES = Setting(sizes=(3, 4, 2, 2), output="softmax", cost="cross entropy")


def softmax(z: np.ndarray) -> np.ndarray:
    """The softmax of jax."""
    return in_float64(jax.nn.softmax, z)


def by_rows(c: Case) -> np.ndarray:
    """p_i = e^(w_i x') / Σ_t e^(w_t x') for the rows w_i of the output's weights."""
    powers = [np.exp(row @ c.a[c.last - 1]) for row in c.w[c.last]]
    return np.array([power / sum(powers) for power in powers])


def scores(c: Case) -> np.ndarray:
    """W^o h^L, without a bias."""
    return product(c.w[c.last], c.a[c.last - 1])


def binary(c: Case, sign: int) -> np.ndarray:
    """1 / (1 + e^(sign (w_0 - w_1) x'))."""
    w_0, w_1 = c.w[c.last]
    return 1 / (1 + np.exp(sign * (w_0 - w_1) @ c.a[c.last - 1]))


def shares(c: Case, counted: dict[int, list[int]]) -> np.ndarray:
    """q_i = e^z_i over the sum of e^z_j for the j that are counted for i."""
    e = np.exp(c.z[c.last])
    return np.array([e[i] / e[j].sum() for i, j in counted.items()])


on_three = partial(Equation, setting=THREE_CLASSES)
on_two = partial(Equation, setting=TWO_CLASSES)

EQUATIONS = (
    on_three(
        "Softmax",
        "p_i = e^(w_i x') / Σ_t e^(w_t x')",
        truth=lambda c: softmax(scores(c)),
        written=by_rows,
    ),
    on_two(
        "Softmax, p_1",
        "p_1 = 1/(1 + e^((w_0 - w_1) x'))",
        truth=lambda c: softmax(scores(c))[1],
        written=lambda c: binary(c, 1),
    ),
    on_two(
        "Softmax, w",
        "with w = w_1 - w_0 that is σ(w x')",
        truth=lambda c: softmax(scores(c))[1],
        written=lambda c: in_float64(
            jax.nn.sigmoid, (c.w[c.last][1] - c.w[c.last][0]) @ c.a[c.last - 1]
        ),
    ),
    on_three(
        "Feedforward, 3",
        "p = e^(W^o h^L)",
        truth=lambda c: c.a[c.last],
        written=lambda c: np.exp(scores(c)),
        right=lambda c: normalised(np.exp(plus(scores(c), c.b[c.last]))),
        wrong="not divided by the sum, and the bias of the output layer is left out",
        form="normalise(e^(W^o h^L + b^o)), as the notes write for a batch",
    ),
    on_three(
        "Feedforward, p_ij",
        "p_j = e^(w_j h^L) / Σ_t e^(w_t h^L)",
        truth=lambda c: c.a[c.last],
        written=by_rows,
        right=lambda c: normalised(np.exp(plus(scores(c), c.b[c.last]))),
        wrong="the bias of the output layer is left out",
        form="e^(w_j h^L + b_j) / Σ_t e^(w_t h^L + b_t)",
    ),
    on_three(
        "Cross-entropy",
        "the loss of a point is -yᵀ log p",
        truth=lambda c: c.cost,
        written=lambda c: -product(c.y, np.log(c.a[c.last])),
    ),
    on_three(
        "q_1 (first)",
        "q_1 = e^z_1 / (e^z_1 + e^z_2)",
        truth=lambda c: c.a[c.last][:1],
        written=lambda c: shares(c, {0: [0, 1]}),
        right=lambda c: shares(c, {0: [0, 1, 2]}),
        wrong="e^z_3 is missing below; a second q_1 beside it has it (as scanned)",
        form="e^z_1 / (e^z_1 + e^z_2 + e^z_3)",
    ),
    on_three(
        "q_1, q_2, q_3",
        "q_i = e^z_i / (e^z_1 + e^z_2 + e^z_3)",
        truth=lambda c: c.a[c.last],
        written=lambda c: shares(c, {i: [0, 1, 2] for i in range(3)}),
    ),
    on_three(
        "∂L/∂z_1",
        "∂L/∂z_1 = -Σ_k y_k/q_k ∂q_k/∂z_1",
        truth=lambda c: c.dz[c.last][0],
        written=lambda c: -np.sum(c.y / c.a[c.last] * q_by_z(c)[:, 0]),
    ),
    on_three(
        "∂q/∂z_1",
        "∂q_1/∂z_1 = q_1 (1 - q_1), ∂q_2/∂z_1 = -q_1 q_2, ∂q_3/∂z_1 = -q_1 q_3",
        truth=lambda c: q_by_z(c)[:, 0],
        written=lambda c: c.a[c.last][0] * np.array([1 - c.a[c.last][0], *-c.a[c.last][1:]]),
    ),
    on_three(
        "dz^3",
        "dz^3 = q - y",
        truth=lambda c: c.dz[c.last],
        written=lambda c: plus(c.a[c.last], -c.y),
    ),
    on_three(
        "∂L/∂W^3",
        "∂L/∂W^3 = ∂L/∂z^3 ∂z^3/∂W^3",
        truth=lambda c: c.dw[c.last],
        written=lambda c: contract("i,ijk->jk", c.dz[c.last], z_by_w(c, c.last)),
    ),
)
