# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""What `jaxnn` returns, in the letters of the notes: by hand too, and judged like them."""

from functools import partial
from typing import Any

import numpy as np

import jaxnn as nn
from experiments.lectures.derivations.autodiff import derivative, in_float64
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.network import EXAMPLES, Case, Setting

SQUARES = Setting(example=None)
SOFTMAX = Setting(output="softmax", cost="cross entropy", example=None)
STRENGTH = 0.3


def read_by(c: Case, loss: nn.Loss, read: Any) -> dict[int, Any]:
    """The `Affine` readings of every layer of the network by `jaxnn.backprop`.

    In the library an example is a row and a weight (n_in, n_out); a softmax is inside its loss.
    """
    layers, params = [], []
    for n in c.w:
        layers += [nn.Dense(len(c.b[n])), nn.sigmoid]
        params += [nn.Affine(c.w[n].T, c.b[n]), ()]
    if c.setting.output == "softmax":
        layers, params = layers[:-1], params[:-1]

    def run(params: Any, x: Any, y: Any) -> Any:
        return nn.backprop(nn.serial(*layers), loss, params, x, y, read=read)[1]

    return dict(enumerate(in_float64(run, tuple(params), c.a[0].T, c.y.T)[::2], 1))


def errors(c: Case, loss: nn.Loss) -> dict[int, np.ndarray]:
    """δ^l of every layer and example, as columns."""
    return {n: reading.b.d.T for n, reading in read_by(c, loss, nn.factors).items()}


def grads(c: Case, loss: nn.Loss) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """∂C/∂w and ∂C/∂b of every layer."""
    read = read_by(c, loss, nn.gradient)
    return {n: read[n].w.T for n in read}, {n: read[n].b for n in read}


def penalty_gradient(c: Case, penalty: Any) -> np.ndarray:
    """∂(λ f)/∂w^1 as a penalty of the library gives it."""
    return in_float64(lambda w, b: penalty(nn.Affine(w, b))[1].w, c.w[1], c.b[1])


on_squares = partial(Equation, setting=SQUARES)
on_softmax = partial(Equation, setting=SOFTMAX)

LIBRARY = Source(
    "jaxnn",
    "jaxnn, this library: backprop, losses and penalties",
    (
        on_squares(
            "factors",
            "δ^L = ∇_a C ⊙ σ'(z^L), δ^l = ((w^(l+1))ᵀ δ^(l+1)) ⊙ σ'(z^l) of each example",
            truth=lambda c: {n: EXAMPLES * c.dz[n] for n in c.w},
            written=lambda c: errors(c, nn.half_square),
        ),
        on_squares(
            "gradient",
            "∂C/∂b^l = mean of δ^l, ∂C/∂w^l = mean of δ^l (a^(l-1))ᵀ",
            truth=lambda c: (c.dw, c.db),
            written=lambda c: grads(c, nn.half_square),
        ),
        on_softmax(
            "factors, softmax",
            "δ^L = p - y, and all δ^l below it",
            truth=lambda c: {n: EXAMPLES * c.dz[n] for n in c.w},
            written=lambda c: errors(c, nn.softmax_cross_entropy),
        ),
        on_squares(
            "l1",
            "∂(λ Σ |w|)/∂w = λ sign w",
            truth=lambda c: derivative(lambda w: STRENGTH * abs(w).sum(), c.w[1]),
            written=lambda c: penalty_gradient(c, nn.l1(STRENGTH)),
        ),
        on_squares(
            "l2",
            "∂(λ/2 Σ w²)/∂w = λ w",
            truth=lambda c: derivative(lambda w: STRENGTH / 2 * (w * w).sum(), c.w[1]),
            written=lambda c: penalty_gradient(c, nn.l2(STRENGTH)),
        ),
    ),
)
