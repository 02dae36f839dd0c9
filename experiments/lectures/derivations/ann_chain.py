# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""What is an Artificial Neural Network (ANN)?, eqs. 10 to 22: one neuron in each layer.

The output layer L is layer 4 here, the arbitrary l is layer 2, and every array is a number. The
cost of an example is (a - y)², without 1/2; example 0 is the one whose target is y^(0), and the
equations run on example 1. Two equations lost their numbers in the scan: 11b stands there twice,
and what comes between 20a and 22a is taken for 21.
"""

from functools import partial
from typing import Any

import numpy as np

from experiments.lectures.derivations.algebra import slope
from experiments.lectures.derivations.autodiff import derivative
from experiments.lectures.derivations.equation import Equation, Side
from experiments.lectures.derivations.network import EXAMPLES, Case, Setting, kind, objective
from experiments.lectures.derivations.partials import a_by_z, z_by_a, z_by_b, z_by_w

CHAIN = Setting(sizes=(1, 1, 1, 1, 1), cost="square")
BATCH = Setting(sizes=(1, 1, 1, 1, 1), cost="square", example=None)


def mean_over_examples(c: Case, derivative_of_one: Side) -> Any:
    """1/m Σ_k of a derivative of the cost of each example k."""
    return np.mean([derivative_of_one(c.other(k)) for k in range(EXAMPLES)])


def weight_gradient(c: Case) -> np.ndarray:
    """Equation 12a."""
    return c.a[3] * slope(c.z[4]) * 2 * (c.a[4] - c.y)


def bias_gradient(c: Case) -> np.ndarray:
    """Equation 15."""
    return slope(c.z[4]) * 2 * (c.a[4] - c.y)


def above(c: Case, y: np.ndarray) -> np.ndarray:
    """The bracket of equation 20: ∂C/∂a^(L-1) for an example with the target y."""
    return c.w[4] * slope(c.z[4]) * 2 * (c.a[4] - y)


def y_of_example_0(c: Case) -> np.ndarray:
    """y^(0)."""
    return c.other(0).y


def decrease(c: Case) -> np.ndarray:
    """dC/dη at η = 0 along w - η ∂C/∂w, b - η ∂C/∂b, by autodiff."""

    def along(eta: Any) -> Any:
        w = {n: (c.w[n] - eta * c.dw[n]).reshape(1, 1) for n in c.w}
        b = {n: (c.b[n] - eta * c.db[n]).reshape(1) for n in c.b}
        zero = dict.fromkeys(range(5), 0.0)
        x, y = c.a[0].reshape(1, 1), c.y.reshape(1, 1)
        return objective(w, b, zero, zero, x, y, np.ones(1), *kind(c.setting))[0]

    return derivative(along, 0.0)


one_neuron = partial(Equation, setting=CHAIN)

EQUATIONS = (
    one_neuron(
        "10a",
        "∂C/∂w^L = ∂z^L/∂w^L ∂a^L/∂z^L ∂C/∂a^L",
        truth=lambda c: c.dw[4],
        written=lambda c: z_by_w(c, 4) * a_by_z(c, 4) * c.da[4],
    ),
    one_neuron(
        "10b",
        "∂C/∂a^(L-1) = ∂z^L/∂a^(L-1) ∂a^L/∂z^L ∂C/∂a^L",
        truth=lambda c: c.da[3],
        written=lambda c: z_by_a(c, 4) * a_by_z(c, 4) * c.da[4],
    ),
    one_neuron(
        "11a, 14a",
        "∂C/∂a^L = 2 (a^L - y)",
        truth=lambda c: c.da[4],
        written=lambda c: 2 * (c.a[4] - c.y),
    ),
    one_neuron(
        "11b, 14b",
        "∂a^L/∂z^L = σ'(z^L)",
        truth=lambda c: a_by_z(c, 4),
        written=lambda c: slope(c.z[4]),
    ),
    one_neuron(
        "11b (second)",
        "∂z^L/∂w^L = a^(L-1), ∂z^L/∂a^(L-1) = w^L",
        truth=lambda c: (z_by_w(c, 4), z_by_a(c, 4)),
        written=lambda c: (c.a[3], c.w[4]),
    ),
    one_neuron(
        "12a",
        "∂C/∂w^L = a^(L-1) σ'(z^L) 2 (a^L - y)",
        truth=lambda c: c.dw[4],
        written=weight_gradient,
    ),
    one_neuron(
        "12b",
        "∂C/∂a^(L-1) = w^L σ'(z^L) 2 (a^L - y)",
        truth=lambda c: c.da[3],
        written=lambda c: c.w[4] * slope(c.z[4]) * 2 * (c.a[4] - c.y),
    ),
    one_neuron(
        "13",
        "∂C/∂b^L = ∂z^L/∂b^L ∂a^L/∂z^L ∂C/∂a^L",
        truth=lambda c: c.db[4],
        written=lambda c: z_by_b(c, 4) * a_by_z(c, 4) * c.da[4],
    ),
    one_neuron(
        "14b (second)",
        "∂z^L/∂b^L = 1",
        truth=lambda c: z_by_b(c, 4),
        written=lambda c: 1.0,
    ),
    one_neuron(
        "15",
        "∂C/∂b^L = σ'(z^L) 2 (a^L - y)",
        truth=lambda c: c.db[4],
        written=bias_gradient,
    ),
    one_neuron(
        "16a",
        "∂C/∂w^L = 1/m Σ_k ∂C_k/∂w^L",
        truth=lambda c: c.dw[4],
        written=lambda c: mean_over_examples(c, weight_gradient),
        setting=BATCH,
    ),
    one_neuron(
        "16b",
        "∂C/∂b^L = 1/m Σ_k ∂C_k/∂b^L",
        truth=lambda c: c.db[4],
        written=lambda c: mean_over_examples(c, bias_gradient),
        setting=BATCH,
    ),
    one_neuron(
        "17, 18",
        "a step -η ∂C/∂w, -η ∂C/∂b lowers C at the rate |∇C|²",
        truth=decrease,
        written=lambda c: -sum(c.dw[n] ** 2 + c.db[n] ** 2 for n in c.w),
    ),
    one_neuron(
        "19",
        "∂C/∂w^(L-1) = 1/m Σ_k ∂C_k/∂w^(L-1)",
        truth=lambda c: c.dw[3],
        written=lambda c: mean_over_examples(c, lambda one: one.dw[3]),
        setting=BATCH,
    ),
    one_neuron(
        "20, lines 1, 2",
        "∂C_k/∂w^(L-1) = a^(L-2) σ'(z^(L-1)) ∂C_k/∂a^(L-1)",
        truth=lambda c: c.dw[3],
        written=lambda c: c.a[2] * slope(c.z[3]) * c.da[3],
    ),
    one_neuron(
        "20, line 3",
        "∂C_k/∂w^(L-1) = a^(L-2) σ'(z^(L-1)) (w^L σ'(z^L) 2 (a^L - y^(0)))",
        truth=lambda c: c.dw[3],
        written=lambda c: c.a[2] * slope(c.z[3]) * above(c, y_of_example_0(c)),
        right=lambda c: c.a[2] * slope(c.z[3]) * above(c, c.y),
        wrong="the target of example 0 in the cost of example k (as scanned)",
        form="... 2 (a^L - y^(k))",
    ),
    one_neuron(
        "20, line 4",
        "∂C_k/∂a^(L-2) = ∂z^(L-1)/∂a^(L-2) ∂a^(L-1)/∂z^(L-1) ∂C_k/∂a^(L-1)",
        truth=lambda c: c.da[2],
        written=lambda c: z_by_a(c, 3) * a_by_z(c, 3) * c.da[3],
    ),
    one_neuron(
        "20a",
        "∂C_k/∂a^(L-2) = w^(L-1) σ'(z^(L-1)) (w^L σ'(z^L) 2 (a^L - y^(0)))",
        truth=lambda c: c.da[2],
        written=lambda c: c.w[3] * slope(c.z[3]) * above(c, y_of_example_0(c)),
        right=lambda c: c.w[3] * slope(c.z[3]) * above(c, c.y),
        wrong="the target of example 0 in the cost of example k (as scanned)",
        form="... 2 (a^L - y^(k))",
    ),
    one_neuron(
        "21, lines 1, 2",
        "∂C_k/∂w^(L-2) = a^(L-3) σ'(z^(L-2)) ∂C_k/∂a^(L-2)",
        truth=lambda c: c.dw[2],
        written=lambda c: c.a[1] * slope(c.z[2]) * c.da[2],
    ),
    one_neuron(
        "21, line 3",
        "∂C_k/∂a^(L-3) = ∂z^(L-2)/∂a^(L-3) ∂a^(L-1)/∂z^(L-2) ∂C_k/∂a^(L-2)",
        truth=lambda c: c.da[1],
        written=lambda c: z_by_a(c, 2) * (a_by_z(c, 3) * z_by_a(c, 3) * a_by_z(c, 2)) * c.da[2],
        right=lambda c: z_by_a(c, 2) * a_by_z(c, 2) * c.da[2],
        wrong="a^(L-1) where a^(L-2) is meant: layer L-1 is counted twice (as scanned)",
        form="∂z^(L-2)/∂a^(L-3) ∂a^(L-2)/∂z^(L-2) ∂C_k/∂a^(L-2)",
    ),
    one_neuron(
        "21, line 4",
        "∂C_k/∂a^(L-3) = w^(L-2) σ'(z^(L-2)) ∂C_k/∂a^(L-2)",
        truth=lambda c: c.da[1],
        written=lambda c: c.w[2] * slope(c.z[2]) * c.da[2],
    ),
    one_neuron(
        "22a",
        "∂C_k/∂w^l = a^(l-1) σ'(z^l) ∂C_k/∂a^l",
        truth=lambda c: c.dw,
        written=lambda c: {n: c.a[n - 1] * slope(c.z[n]) * c.da[n] for n in c.w},
    ),
    one_neuron(
        "22b",
        "∂C_k/∂a^l = w^(l+1) σ'(z^(l+1)) ∂C_k/∂a^(l+1)",
        truth=lambda c: [c.da[n] for n in range(4)],
        written=lambda c: [c.w[n + 1] * slope(c.z[n + 1]) * c.da[n + 1] for n in range(4)],
    ),
)
