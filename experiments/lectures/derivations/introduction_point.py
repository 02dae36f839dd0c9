# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Introduction to Neural Networks (lecture notes): backpropagation of a single point.

First element by element for two neurons on two, the figure of the notes, then the eight steps of
three layers, then the algorithm for L hidden layers and an output layer o. The notes number four
equations, (1) to (4).
"""

from functools import partial

import numpy as np

from experiments.lectures.derivations.algebra import (
    entrywise,
    normalised,
    outer,
    plus,
    product,
    sigma as activation,
    slope,
)
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.network import Case, Setting
from experiments.lectures.derivations.partials import z_by_a, z_by_w

FIGURE = Setting(sizes=(3, 4, 2, 2), output="softmax", cost="cross entropy")
MANY_LAYERS = Setting(output="softmax", cost="cross entropy")


def h_gradient(c: Case, second: tuple[int, int]) -> np.ndarray:
    """(∂L/∂h_1, ∂L/∂h_2) from dz^3 and weights; `second` is the first weight of the second."""
    (w, dz), (i, j) = (c.w[3], c.dz[3]), second
    return np.array([dz[0] * w[0, 0] + dz[1] * w[1, 0], dz[0] * w[i, j] + dz[1] * w[1, 1]])


def forward(c: Case) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Steps 1 to 3 of the algorithm: z and h of the layers 0 to L + 1."""
    z, h = [np.zeros(0)], [c.a[0]]
    for layer in range(1, c.last):
        z.append(plus(product(c.w[layer], h[-1]), c.b[layer]))
        h.append(activation(z[-1]))
    z.append(plus(product(c.w[c.last], h[-1]), c.b[c.last]))
    return z, [*h, normalised(np.exp(z[-1]))]


def steps(c: Case) -> tuple[dict[int, np.ndarray], ...]:
    """Steps 1 to 8, or 5 and 7 of the algorithm: dz, dh and dW of every layer."""
    z, h = forward(c)
    dz = {c.last: plus(h[-1], -c.y)}
    dh, dw = {}, {c.last: outer(dz[c.last], h[-2])}
    for layer in range(c.last - 1, 0, -1):
        dh[layer] = product(c.w[layer + 1].T, dz[layer + 1])
        dz[layer] = entrywise(dh[layer], slope(z[layer]))
        dw[layer] = outer(dz[layer], h[layer - 1])
    return dz, dh, dw


def steps_by_autodiff(c: Case) -> tuple[dict[int, np.ndarray], ...]:
    """What `steps` should give."""
    return dict(c.dz), {n: c.da[n] for n in range(1, c.last)}, dict(c.dw)


on_figure = partial(Equation, setting=FIGURE)

BY_ELEMENT = (
    on_figure(
        "1, 2",
        "z_i = w_i1 h_1 + w_i2 h_2 + b_i",
        truth=lambda c: c.z[3],
        written=lambda c: np.array(
            [c.w[3][i, 0] * c.a[2][0] + c.w[3][i, 1] * c.a[2][1] + c.b[3][i] for i in (0, 1)]
        ),
    ),
    on_figure(
        "∂L/∂w_11",
        "∂L/∂w_11 = ∂L/∂z_1 ∂z_1/∂w_11 + ∂L/∂z_2 ∂z_2/∂w_11",
        truth=lambda c: c.dw[3][0, 0],
        written=lambda c: product(c.dz[3], z_by_w(c, 3)[:, 0, 0]),
    ),
    on_figure(
        "∂z/∂w_11",
        "∂z_1/∂w_11 = h_1, ∂z_2/∂w_11 = 0",
        truth=lambda c: z_by_w(c, 3)[:, 0, 0],
        written=lambda c: np.array([c.a[2][0], 0]),
    ),
    on_figure(
        "∂L/∂w_ij",
        "∂L/∂w_ij = dz_i h_j, for i, j = 1, 2",
        truth=lambda c: c.dw[3],
        written=lambda c: np.array([[c.dz[3][i] * c.a[2][j] for j in (0, 1)] for i in (0, 1)]),
    ),
    on_figure(
        "dW^3",
        "dW^3 = dz^3 (h^2)ᵀ",
        truth=lambda c: c.dw[3],
        written=lambda c: outer(c.dz[3], c.a[2]),
    ),
    on_figure(
        "3, 4",
        "∂L/∂h_j = ∂L/∂z_1 ∂z_1/∂h_j + ∂L/∂z_2 ∂z_2/∂h_j",
        truth=lambda c: c.da[2],
        written=lambda c: np.array([c.dz[3] @ z_by_a(c, 3)[:, j] for j in (0, 1)]),
    ),
    on_figure(
        "∂z/∂h",
        "∂z_1/∂h_1 = w_11, ∂z_2/∂h_1 = w_21, ∂z_1/∂h_2 = w_12, ∂z_2/∂h_2 = w_22",
        truth=lambda c: z_by_a(c, 3),
        written=lambda c: np.array([[c.w[3][i, j] for j in (0, 1)] for i in (0, 1)]),
    ),
    on_figure(
        "3, 4 (filled in)",
        "∂L/∂h_1 = dz_1 w_11 + dz_2 w_21, ∂L/∂h_2 = dz_1 w_21 + dz_2 w_22",
        truth=lambda c: c.da[2],
        written=lambda c: h_gradient(c, (1, 0)),
        right=lambda c: h_gradient(c, (0, 1)),
        wrong="w_21 in ∂L/∂h_2, though ∂z_1/∂h_2 = w_12 was found above (as scanned)",
        form="∂L/∂h_2 = dz_1 w_12 + dz_2 w_22",
    ),
    on_figure(
        "dh^2",
        "dh^2 = (W^3)ᵀ dz^3",
        truth=lambda c: c.da[2],
        written=lambda c: product(c.w[3].T, c.dz[3]),
    ),
    on_figure(
        "dz^2",
        "dz^2 = dh^2 ⊙ σ'(z^2)",
        truth=lambda c: c.dz[2],
        written=lambda c: entrywise(c.da[2], slope(c.z[2])),
    ),
)

ALGORITHM = (
    Equation(
        "Steps 1-8",
        "dz^3 = p - y, dW^l = dz^l (h^(l-1))ᵀ, dh^l = (W^(l+1))ᵀ dz^(l+1), dz^l = dh^l ⊙ σ'(z^l)",
        truth=steps_by_autodiff,
        written=steps,
        setting=FIGURE,
    ),
    Equation(
        "Algorithm, 1-3",
        "h^l = σ(W^l h^(l-1) + b^l), p = normalise(e^(W^o h^L + b^o))",
        truth=lambda c: [c.a[n] for n in range(c.last + 1)],
        written=lambda c: forward(c)[1],
        setting=MANY_LAYERS,
    ),
    Equation(
        "Algorithm, 6",
        "dW^o = dz^o (h^2)ᵀ with L hidden layers",
        truth=lambda c: c.dw[c.last],
        written=lambda c: outer(c.dz[c.last], c.a[2]),
        right=lambda c: outer(c.dz[c.last], c.a[c.last - 1]),
        setting=MANY_LAYERS,
        wrong="h^2 is left from the example with L = 2",
        form="dz^o (h^L)ᵀ",
    ),
    Equation(
        "Algorithm, 5, 7",
        "dz^o = p - y; for l = L..1: dh^l = (W^(l+1))ᵀ dz^(l+1), dz^l, dW^l as above",
        truth=steps_by_autodiff,
        written=steps,
        setting=MANY_LAYERS,
    ),
)

EQUATIONS = (*BY_ELEMENT, *ALGORITHM)
