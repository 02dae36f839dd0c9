# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Introduction to Neural Networks (lecture notes): averages, mini-batches, the batch algorithm.

Columns are the m points of a batch: H^l (n_l, m), Y and P (classes, m). The loss of the batch is
the mean of the losses of its points; DZ holds each point's own error, m times the derivative of
that mean. There are L hidden layers, and layer L+1 is the output. The scan shows k for b in 7.6.
"""

from functools import partial

import numpy as np

from experiments.lectures.derivations.algebra import (
    contract,
    entrywise,
    normalised,
    product,
    sigma,
    slope,
)
from experiments.lectures.derivations.equation import Equation
from experiments.lectures.derivations.network import EXAMPLES, Case, Layers, Setting

BATCH = Setting(output="softmax", cost="cross entropy", example=None)
RATE = 0.1


def forward(c: Case) -> list[np.ndarray]:
    """H^0 to H^L and P, b being added to every column."""
    h = [c.a[0]]
    for layer in range(1, c.last):
        h.append(sigma(product(c.w[layer], h[-1]) + c.b[layer][:, None]))
    return [*h, normalised(np.exp(product(c.w[c.last], h[-1]) + c.b[c.last][:, None]))]


def column(c: Case, point: int) -> np.ndarray:
    """W^1 h_i^0 + b^1 of a single point."""
    return product(c.w[1], c.a[0][:, point]) + c.b[1]


def errors(c: Case) -> Layers:
    """DZ of every layer by autodiff."""
    return {n: EXAMPLES * c.dz[n] for n in c.w}


def tensor(c: Case) -> np.ndarray:
    """dz h^T of each point for layer 2: (m, n_2, n_1)."""
    return np.stack([c.other(k).dw[2] for k in range(EXAMPLES)])


def updates(gradients: Layers, layers: range) -> Layers:
    """What the updates add to each layer's parameters when they run over `layers`."""
    return {n: -RATE * g if n in layers else np.zeros_like(g) for n, g in gradients.items()}


def hidden(c: Case) -> range:
    """The layers 1 to L."""
    return range(1, c.last)


on_batch = partial(Equation, setting=BATCH)

AVERAGES = (
    on_batch(
        "Total loss",
        "minimising 1/n Σ L_i minimises Σ L_i: one gradient is 1/n of the other",
        truth=lambda c: c.dw,
        written=lambda c: {
            n: sum(c.other(k).dw[n] for k in range(EXAMPLES)) / EXAMPLES for n in c.w
        },
    ),
    on_batch(
        "Feedforward, batch",
        "W^l H^(l-1) + b^l has the columns W^l h_i^(l-1) + b^l",
        truth=lambda c: c.z[1],
        written=lambda c: np.stack([column(c, k) for k in range(EXAMPLES)], axis=1),
    ),
    on_batch(
        "Batches, tensor",
        "DZ^l (H^(l-1))ᵀ is a tensor with an axis for the points",
        truth=tensor,
        written=lambda c: product(errors(c)[2], c.a[1].T),
        right=lambda c: contract("im,jm->mij", errors(c)[2], c.a[1]),
        wrong="the matrix product has already summed over the points",
        form="dz_i (h_i)ᵀ of each point i, stacked",
    ),
    on_batch(
        "Batches, mean",
        "DW^l as that tensor, averaged over the points, is ∂L/∂W^l",
        truth=lambda c: c.dw[2],
        written=lambda c: tensor(c).mean(0),
    ),
)

ALGORITHM = (
    on_batch(
        "Batch, 1-3",
        "H^l = σ(W^l H^(l-1) + b^l), P = normalise(e^(W^o H^L + b^o))",
        truth=lambda c: [c.a[n] for n in range(c.last + 1)],
        written=forward,
    ),
    on_batch(
        "Batch, 4",
        "L = -1/m Yᵀ log P",
        truth=lambda c: c.cost,
        written=lambda c: -product(c.y.T, np.log(c.a[c.last])) / EXAMPLES,
        right=lambda c: -np.sum(entrywise(c.y, np.log(c.a[c.last]))) / EXAMPLES,
        wrong="the matrix product pairs every point with every other",
        form="-1/m Σ_k Σ_i Y_ki log P_ki, the trace of that product",
    ),
    on_batch(
        "Batch, 5",
        "DZ^(L+1) = P - Y",
        truth=lambda c: errors(c)[c.last],
        written=lambda c: c.a[c.last] - c.y,
    ),
    on_batch(
        "Batch, 6",
        "DW^(L+1) = DZ^(L+1) (H^L)ᵀ, the sum over the points",
        truth=lambda c: EXAMPLES * c.dw[c.last],
        written=lambda c: product(errors(c)[c.last], c.a[c.last - 1].T),
    ),
    on_batch(
        "Batch, 7.1",
        "dH^l = (W^(l+1))ᵀ DZ^(l+1)",
        truth=lambda c: {n: EXAMPLES * c.da[n] for n in hidden(c)},
        written=lambda c: {n: product(c.w[n + 1].T, errors(c)[n + 1]) for n in hidden(c)},
    ),
    on_batch(
        "Batch, 7.2",
        "DZ^l = dH^l ⊙ σ'(Z^l)",
        truth=lambda c: {n: errors(c)[n] for n in hidden(c)},
        written=lambda c: {n: entrywise(EXAMPLES * c.da[n], slope(c.z[n])) for n in hidden(c)},
    ),
    on_batch(
        "Batch, 7.3, 7.5",
        "∂L/∂W^l = 1/m DZ^l (H^(l-1))ᵀ",
        truth=lambda c: {n: c.dw[n] for n in hidden(c)},
        written=lambda c: {n: product(errors(c)[n], c.a[n - 1].T) / EXAMPLES for n in hidden(c)},
    ),
    on_batch(
        "Batch, 6, 7.4, 7.6",
        "∂L/∂b^l = 1/m Db^l with Db^l = DZ^l",
        truth=lambda c: c.db,
        written=lambda c: {n: errors(c)[n] / EXAMPLES for n in c.w},
        right=lambda c: {n: errors(c)[n].sum(1) / EXAMPLES for n in c.w},
        wrong="a matrix for a vector: the sum over the points stands in the text alone",
        form="Db^l = Σ_i of the columns of DZ^l",
    ),
    on_batch(
        "Batch, 8",
        "W^l -= α ∂L/∂W^l for l = 1 to L updates every layer",
        truth=lambda c: {n: -RATE * c.dw[n] for n in c.w},
        written=lambda c: updates(c.dw, hidden(c)),
        right=lambda c: updates(c.dw, range(1, c.last + 1)),
        wrong="the output layer, L+1, is left out of steps 7.5, 7.6 and 8",
        form="for l = 1 to L+1",
    ),
)

EQUATIONS = (*AVERAGES, *ALGORITHM)
