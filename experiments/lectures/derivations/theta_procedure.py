# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""Neural networks (θ notation): the back-propagation procedure, and its end, which is missing.

Figure 5 has layers of 4, 2, 3 and 1 neurons, all logistic, and the cost ½ (y - ŷ)² of one example.
The notes stop in step 4; `recursion.py` goes on from there.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np

from experiments.lectures.derivations.algebra import (
    contract,
    entrywise,
    outer,
    plus,
    product,
    slope,
)
from experiments.lectures.derivations.autodiff import derivative
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.network import EXAMPLES, Case
from experiments.lectures.derivations.partials import a_by_z
from experiments.lectures.derivations.recursion import sweep, with_unit
from experiments.lectures.derivations.theta import by_inputs, by_outputs, gradients, outputs, thetas
from experiments.lectures.derivations.theta_costs import EQUATIONS as COSTS, FIGURE_5, REAL

RATE = 0.5


def minus_error(c: Case) -> np.ndarray:
    """y - ŷ of the output."""
    return plus(c.y, -outputs(c)[4])


def output_by_z(c: Case) -> np.ndarray:
    """∂a_1^4/∂z_1^4, by autodiff."""
    return contract("jj->j", a_by_z(c, 3))


def z_by_theta(c: Case) -> np.ndarray:
    """∂z_1^4/∂θ_j1^3, (1, N_3 + 1), by autodiff."""
    return derivative(jnp.dot, thetas(c)[3], with_unit(c.a[2]))[0]


def theta_by_a(c: Case) -> np.ndarray:
    """∂θ_jk^3/∂a_j^3, (1, N_3), by autodiff: a weight is not a function of an output."""
    theta = thetas(c)[3]
    return contract("kjj->kj", derivative(lambda _: theta[:, 1:], c.a[2]))


def through_weights(c: Case) -> np.ndarray:
    """The last equation of step 4 as it stands, for j = 1 to N_3."""
    return c.dz[3][0] * contract("kj,kj->j", z_by_theta(c)[:, 1:], theta_by_a(c))


def times_outputs(c: Case, d: np.ndarray) -> np.ndarray:
    """d a_j^3 for all weights of Θ^3."""
    return outer(d, with_unit(c.a[2]))


def one_after_the_other(c: Case) -> dict[int, np.ndarray]:
    """What the parameters change by when every example makes an update of its own."""
    start = theta = thetas(c)
    for k in range(EXAMPLES):
        _, _, grads = sweep(theta, c.a[0][:, k], c.y[:, k])
        theta = {i: theta[i] - RATE / EXAMPLES * grads[i] for i in theta}
    return {i: theta[i] - start[i] for i in theta}


def all_at_once(c: Case) -> dict[int, np.ndarray]:
    """What they change by when the gradients of all examples are added up first."""
    grads = [sweep(thetas(c), c.a[0][:, k], c.y[:, k])[2] for k in range(EXAMPLES)]
    return {i: -RATE / EXAMPLES * np.sum([g[i] for g in grads], axis=0) for i in thetas(c)}


on_figure = partial(Equation, setting=FIGURE_5)

STEPS = (
    on_figure(
        "Step 1",
        "∂C/∂ŷ = y - ŷ for C = ½ (y - ŷ)²",
        truth=lambda c: by_outputs(c)[4],
        written=minus_error,
        right=lambda c: -minus_error(c),
        wrong="the sign: the inner derivative, -1, is forgotten",
        form="ŷ - y",
    ),
    on_figure(
        "Step 2, chain",
        "∂C/∂z_1^4 = ∂C/∂a_1^4 ∂a_1^4/∂z_1^4",
        truth=lambda c: by_inputs(c)[4],
        written=lambda c: entrywise(by_outputs(c)[4], output_by_z(c)),
    ),
    on_figure(
        "Step 2, σ'",
        "∂a_1^4/∂z_1^4 = σ(z) (1 - σ(z))",
        truth=lambda c: output_by_z(c),
        written=lambda c: slope(c.z[3]),
    ),
    on_figure(
        "Step 2, result",
        "∂C/∂z_1^4 = σ'(z_1^4) (y - σ(z_1^4))",
        truth=lambda c: by_inputs(c)[4],
        written=lambda c: entrywise(slope(c.z[3]), minus_error(c)),
        right=lambda c: entrywise(slope(c.z[3]), -minus_error(c)),
        wrong="the sign of step 1",
        form="σ'(z_1^4) (σ(z_1^4) - y)",
    ),
    on_figure(
        "Step 3, chain",
        "∂C/∂θ_jk = ∂C/∂z_k ∂z_k/∂θ_jk",
        truth=lambda c: gradients(c)[3],
        written=lambda c: contract("k,kj->kj", c.dz[3], z_by_theta(c)),
    ),
    on_figure(
        "Step 3, z",
        "z_k^i = σ(Σ_l θ_lk a_l)",
        truth=lambda c: c.z[3],
        written=lambda c: 1 / (1 + np.exp(-product(thetas(c)[3], with_unit(c.a[2])))),
        right=lambda c: product(thetas(c)[3], with_unit(c.a[2])),
        wrong="that is a_k; z_k is the sum inside",
        form="Σ_l θ_lk a_l",
    ),
    on_figure(
        "Step 3, ∂z/∂θ",
        "∂z_k^i/∂θ_jk = σ'(z_k) a_j",
        truth=z_by_theta,
        written=lambda c: times_outputs(c, slope(c.z[3])),
        right=lambda c: times_outputs(c, np.ones(1)),
        wrong="σ' belongs to ∂a/∂z, and is there already",
        form="a_j",
    ),
    on_figure(
        "Step 3, result",
        "∂C/∂θ_j1^3 = σ'(z_1^4)² (y - σ(z_1^4)) a_j^3",
        truth=lambda c: gradients(c)[3],
        written=lambda c: times_outputs(c, slope(c.z[3]) ** 2 * minus_error(c)),
        right=lambda c: times_outputs(c, slope(c.z[3]) * -minus_error(c)),
        wrong="σ' twice, and the sign of step 1",
        form="σ'(z_1^4) (σ(z_1^4) - y) a_j^3",
    ),
    on_figure(
        "Step 4, ∂C/∂z",
        "∂C/∂z_j^3 = ∂C/∂a_j^3 σ'(z_j^3)",
        truth=lambda c: by_inputs(c)[3],
        written=lambda c: entrywise(by_outputs(c)[3], slope(c.z[2])),
    ),
    on_figure(
        "Step 4, ∂C/∂a",
        "∂C/∂a_j^3 = ∂C/∂z_1^4 Σ_k ∂z_1^4/∂θ_jk^3 ∂θ_jk^3/∂a_j^3",
        truth=lambda c: by_outputs(c)[3],
        written=through_weights,
        right=lambda c: contract("kj,k->j", thetas(c)[3][:, 1:], c.dz[3]),
        wrong="a weight does not depend on an output: ∂θ/∂a = 0",
        form="Σ_k ∂C/∂z_k^4 ∂z_k^4/∂a_j^3 = Σ_k ∂C/∂z_k^4 θ_jk^3",
    ),
    Equation(
        "All examples, 3.4",
        "an update inside the loop over the examples treats the set as one batch",
        truth=lambda c: {i: -RATE * g for i, g in gradients(c).items()},
        written=one_after_the_other,
        setting=REAL,
        right=all_at_once,
        wrong="every example then sees the weights the one before has changed",
        form="add the derivatives of all examples up, then update once",
    ),
)

FINISHED = (
    Equation(
        "Finished, (a)",
        "∂C/∂a_j^i = Σ_k ∂C/∂z_k^(i+1) θ_jk^i for i = L..2",
        truth=by_outputs,
        written=lambda c: sweep(thetas(c), c.a[0], c.y)[0],
    ),
    Equation(
        "Finished, (b)",
        "∂C/∂z_j^i = σ'(z_j^i) ∂C/∂a_j^i",
        truth=by_inputs,
        written=lambda c: sweep(thetas(c), c.a[0], c.y)[1],
    ),
    Equation(
        "Finished, (c)",
        "∂C/∂θ_jk^i = ∂C/∂z_k^(i+1) a_j^i, all layers",
        truth=gradients,
        written=lambda c: sweep(thetas(c), c.a[0], c.y)[2],
    ),
)

NOTES = Source(
    "Neural networks",
    "Neural networks (θ notation), lecture notes, no author, no year",
    (*COSTS, *STEPS, *FINISHED),
)
