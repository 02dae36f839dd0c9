# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Khan 2021, Neural Networks, sections 1 and 2.

Equations 1 to 6, 8, 10 and 14 introduce letters and claim nothing. As in the notes, layer l has m
neurons, layer l-1 has n, and L is the last layer. Where the scan shows i on one side and j on the
other (18, 35), or drops a ∂ (25, 26, 38, 42), the sense decides. Equations that repeat another
share a row with it.
"""

import numpy as np

from experiments.lectures.derivations.algebra import (
    Misfit,
    contract,
    entrywise,
    outer,
    plus,
    product,
    sigma,
    slope,
)
from experiments.lectures.derivations.autodiff import derivative
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.network import EXAMPLES, Case, Setting
from experiments.lectures.derivations.partials import a_by_z, z_by_a, z_by_b, z_by_w

BATCH = Setting(example=None)


def half_square(c: Case) -> np.ndarray:
    """Equation 13: ½ Σ_j (a_j - y_j)²."""
    return np.sum([(a - y) ** 2 for a, y in zip(c.a[c.last], c.y, strict=True)]) / 2


def own(jacobian: np.ndarray) -> np.ndarray:
    """The diagonal: each neuron by its own input or bias, (m,)."""
    return contract("jj->j", jacobian)


def own_weights(c: Case, layer: int) -> np.ndarray:
    """∂z_j^l/∂w_jk^l, (m, n): the entries of the Jacobian that are not 0."""
    return contract("jjk->jk", z_by_w(c, layer))


def hidden_error(c: Case, layer: int, above: np.ndarray) -> np.ndarray:
    """Equation 22 with `above` in the place of δ^(l+1)."""
    return entrywise(product(c.w[layer + 1].T, above), slope(c.z[layer]))


def sweep(c: Case) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Equations 16, 22, 33 and 39 and nothing else: all ∂C/∂w and ∂C/∂b."""
    delta = {c.last: entrywise(plus(c.a[c.last], -c.y), slope(c.z[c.last]))}
    for layer in range(c.last - 1, 0, -1):
        delta[layer] = hidden_error(c, layer, delta[layer + 1])
    return {n: outer(delta[n], c.a[n - 1]) for n in delta}, delta


def matrix_of_26(c: Case, layer: int, above: np.ndarray) -> np.ndarray:
    """The left matrix of equation 26: `above`_j ∂z_j^(l+1)/∂a_i^l in row i, column j."""
    return contract("j,ij->ij", above, z_by_a(c, layer + 1).T)


def column_of_n(c: Case, layer: int) -> np.ndarray:
    """∂C/∂z_1 to ∂C/∂z_n of layer l, where n is the size of layer l-1."""
    n = len(c.a[layer - 1])
    if n > len(c.dz[layer]):
        raise Misfit(f"entries 1 to {n} of {len(c.dz[layer])}")
    return c.dz[layer][:n]


def row_of_40(c: Case, layer: int) -> np.ndarray:
    """The row of equation 40: its first entry is of layer l, the others are of layer l-1."""
    return np.concatenate([c.a[layer][:1], c.a[layer - 1][1:]])


COST = (
    Equation(
        "7, 9, 11",
        "a_j = σ(z_j), z = w a + b",
        truth=lambda c: [c.a[n] for n in c.w],
        written=lambda c: [sigma(plus(product(c.w[n], c.a[n - 1]), c.b[n])) for n in c.w],
    ),
    Equation(
        "12",
        "C = 1/(2N) Σ_x |a^L - y|²",
        truth=lambda c: c.cost,
        written=lambda c: sum(half_square(c.other(k)) for k in range(EXAMPLES)) / EXAMPLES,
        setting=BATCH,
    ),
    Equation(
        "13, 17",
        "C = ½ |a^L - y|² = ½ Σ_j (a_j - y_j)²",
        truth=lambda c: c.cost,
        written=half_square,
    ),
    Equation(
        "18, 19",
        "∇_a C = a^L - y",
        truth=lambda c: c.da[c.last],
        written=lambda c: plus(c.a[c.last], -c.y),
    ),
)

ERRORS = (
    Equation(
        "15",
        "δ^l = (∂C/∂z_1, ..., ∂C/∂z_1)",
        truth=lambda c: c.dz[2],
        written=lambda c: np.array([*c.dz[2][:-1], c.dz[2][0]]),
        right=lambda c: np.array([c.dz[2][j] for j in range(len(c.z[2]))]),
        wrong="the last entry repeats the index 1 (as scanned)",
        form="(∂C/∂z_1, ..., ∂C/∂z_m)",
    ),
    Equation(
        "16, 20",
        "δ^L = ∇_a C ⊙ σ'(z^L)",
        truth=lambda c: c.dz[c.last],
        written=lambda c: entrywise(c.da[c.last], slope(c.z[c.last])),
    ),
    Equation(
        "21",
        "δ^L = (∂C/∂a_j) ⊙ (∂a_j/∂z_j)",
        truth=lambda c: c.dz[c.last],
        written=lambda c: entrywise(c.da[c.last], own(a_by_z(c, c.last))),
    ),
    Equation(
        "22, 23",
        "δ^l = ((w^(l+1))ᵀ δ^(l+1)) ⊙ σ'(z^l)",
        truth=lambda c: [c.dz[n] for n in range(1, c.last)],
        written=lambda c: [hidden_error(c, n, c.dz[n + 1]) for n in range(1, c.last)],
    ),
    Equation(
        "24",
        "δ^l = (w^(l+1))ᵀ (∂C/∂z^l) ⊙ (∂a^l/∂z^l)",
        truth=lambda c: c.dz[2],
        written=lambda c: entrywise(product(c.w[3].T, c.dz[2]), own(a_by_z(c, 2))),
        right=lambda c: entrywise(product(c.w[3].T, c.dz[3]), own(a_by_z(c, 2))),
        wrong="δ^l is explained by itself: the error of layer l+1 belongs there",
        form="(w^(l+1))ᵀ (∂C/∂z^(l+1)) ⊙ (∂a^l/∂z^l)",
    ),
    Equation(
        "25",
        "δ^l = (∂z^(l+1)/∂a^l)ᵀ (∂C/∂z^l) ⊙ (∂a^l/∂z^l)",
        truth=lambda c: c.dz[2],
        written=lambda c: entrywise(product(z_by_a(c, 3).T, c.dz[2]), own(a_by_z(c, 2))),
        right=lambda c: entrywise(product(z_by_a(c, 3).T, c.dz[3]), own(a_by_z(c, 2))),
        wrong="as in 24",
        form="(∂z^(l+1)/∂a^l)ᵀ (∂C/∂z^(l+1)) ⊙ (∂a^l/∂z^l)",
    ),
    Equation(
        "26",
        "δ^l = matrix of ∂C/∂z_j^l ∂z_j^(l+1)/∂a_i^l, ⊙ (∂a^l/∂z^l)",
        truth=lambda c: c.dz[2],
        written=lambda c: entrywise(matrix_of_26(c, 2, c.dz[2]), own(a_by_z(c, 2))),
        right=lambda c: entrywise(matrix_of_26(c, 2, c.dz[3]).sum(1), own(a_by_z(c, 2))),
        wrong="as in 24; and the sum over j is missing, so that a matrix is left for a vector",
        form="Σ_j ∂C/∂z_j^(l+1) ∂z_j^(l+1)/∂a_i^l, times ∂a_i^l/∂z_i^l",
    ),
)

GRADIENTS = (
    Equation(
        "27, 32, 33",
        "∂C/∂b_j = δ_j",
        truth=lambda c: c.db,
        written=lambda c: c.dz,
    ),
    Equation(
        "28-30",
        "∂z_j/∂b_j = 1",
        truth=lambda c: own(z_by_b(c, 2)),
        written=lambda c: np.ones(len(c.z[2])),
    ),
    Equation(
        "31",
        "∂C/∂b_j = ∂C/∂z_j ∂z_j/∂b_j",
        truth=lambda c: c.db[2],
        written=lambda c: entrywise(c.dz[2], own(z_by_b(c, 2))),
    ),
    Equation(
        "34, 37",
        "∂C/∂w_jk^l = a_k^(l-1) δ_j^l",
        truth=lambda c: c.dw,
        written=lambda c: {n: contract("k,j->jk", c.a[n - 1], c.dz[n]) for n in c.w},
    ),
    Equation(
        "35",
        "∂z_j^l/∂w_jk^l = a_k^(l-1)",
        truth=lambda c: own_weights(c, 2),
        written=lambda c: np.stack([c.a[1] for _ in c.z[2]]),
    ),
    Equation(
        "36, 38, 42",
        "∂C/∂w_jk = ∂C/∂z_j ∂z_j/∂w_jk, as a matrix",
        truth=lambda c: c.dw[2],
        written=lambda c: contract("j,jk->jk", c.dz[2], own_weights(c, 2)),
    ),
    Equation(
        "39",
        "∂C/∂w^l = δ^l (a^(l-1))ᵀ",
        truth=lambda c: c.dw,
        written=lambda c: {n: outer(c.dz[n], c.a[n - 1]) for n in c.w},
    ),
    Equation(
        "40",
        "δ^l (a^(l-1))ᵀ = (∂C/∂z_1 ... ∂C/∂z_n)ᵀ (a_1^l ... a_n^(l-1))",
        truth=lambda c: c.dw[2],
        written=lambda c: outer(column_of_n(c, 2), row_of_40(c, 2)),
        right=lambda c: outer(c.dz[2], c.a[1]),
        wrong="the column ends at n, the size of the layer below; a_1 is of layer l",
        form="(∂C/∂z_1 ... ∂C/∂z_m)ᵀ (a_1^(l-1) ... a_n^(l-1))",
    ),
    Equation(
        "41",
        "∂C/∂w = ∂C/∂z_j a_k^(l-1) in rows j = 1 to n",
        truth=lambda c: c.dw[2],
        written=lambda c: outer(column_of_n(c, 2), c.a[1]),
        right=lambda c: outer(c.dz[2], c.a[1]),
        wrong="there are m rows, one for each neuron of layer l",
        form="rows j = 1 to m, columns k = 1 to n",
    ),
    Equation(
        "41, text",
        "∂C/∂w_jk^l does not depend on layer l-1: ∂(a_k δ_j)/∂a_k = 0 for given δ",
        truth=lambda c: derivative(lambda a: c.dz[2] * a, c.a[1][0]),
        written=lambda c: np.zeros(len(c.dz[2])),
        right=lambda c: c.dz[2],
        wrong="a_k^(l-1) is a factor of it",
        form="∂(a_k δ_j)/∂a_k = δ_j",
    ),
    Equation(
        "3 (program)",
        "16, 22, 33 and 39 alone give ∂C/∂w and ∂C/∂b of all layers",
        truth=lambda c: (c.dw, c.db),
        written=sweep,
    ),
)

NOTES = Source("Khan", "Mustafa Khan, Neural Networks, 2021", (*COST, *ERRORS, *GRADIENTS))
