# ruff: noqa: RUF001 - the claims are in the letters of the equations
"""What is an Artificial Neural Network (ANN)?, eqs. 1 to 9 and 23 to 25: layers of many neurons.

The notes count layers from 1, the input, to N, the output: their layer n is layer n - 1 here. The
cost of an example is Σ (a - y)², without ½. Equation 24 has lost its number in the scan.
"""

from functools import partial

import jax
import numpy as np

from experiments.lectures.derivations.algebra import (
    contract,
    entrywise,
    plus,
    product,
    sigma,
    slope,
)
from experiments.lectures.derivations.ann_chain import EQUATIONS as CHAIN
from experiments.lectures.derivations.autodiff import in_float64
from experiments.lectures.derivations.equation import Equation, Source
from experiments.lectures.derivations.network import EXAMPLES, Case, Setting

SQUARE = Setting(cost="square")
BATCH = Setting(cost="square", example=None)


def neuron_by_neuron(c: Case) -> np.ndarray:
    """The sums of equation 1."""
    w, b, a = c.w[1], c.b[1], c.a[0]
    sums = [sum(w[i, j] * a[j] for j in range(len(a))) + b[i] for i in range(len(b))]
    return sigma(np.array(sums))


def with_bias(c: Case, b: np.ndarray) -> np.ndarray:
    """Equation 3 for the bias column b."""
    return sigma(plus(product(c.w[1], c.a[0]), b))


def count(c: Case, first: int) -> tuple[int, int]:
    """Weights and biases counted over layers `first` to N, no neurons in front of layer 1."""
    n = dict(enumerate((0, *c.setting.sizes)))
    layers = range(first, len(c.setting.sizes) + 1)
    return sum(n[i] * n[i - 1] for i in layers), sum(n[i] for i in layers)


def there_are(c: Case) -> tuple[int, int]:
    """Weights and biases that the network has."""
    return sum(w.size for w in c.w.values()), sum(b.size for b in c.b.values())


def square(c: Case) -> np.ndarray:
    """Equation 8."""
    return np.sum([(c.a[c.last][i] - c.y[i]) ** 2 for i in range(len(c.y))])


def below(c: Case, layer: int, indices: str) -> np.ndarray:
    """Equation 23b for the layer below `layer`, with the indices of its weight as given."""
    return contract(f"{indices},p,p->i", c.w[layer], slope(c.z[layer]), c.da[layer])


on_squares = partial(Equation, setting=SQUARE)

FORWARD = (
    on_squares(
        "1",
        "a_i = σ(Σ_j w_ij a_j + b_i)",
        truth=lambda c: c.a[1],
        written=neuron_by_neuron,
    ),
    on_squares(
        "2",
        "σ(x) = 1/(1 + e^-x)",
        truth=lambda c: in_float64(jax.nn.sigmoid, c.z[1]),
        written=lambda c: 1 / (1 + np.exp(-c.z[1])),
    ),
    on_squares(
        "3",
        "a = σ(W a + b) with the column b = (b_0, b_0, b_1, ...)",
        truth=lambda c: c.a[1],
        written=lambda c: with_bias(c, np.insert(c.b[1], 0, c.b[1][0])),
        right=lambda c: with_bias(c, c.b[1]),
        wrong="b_0 stands there twice",
        form="b = (b_0, b_1, ...)",
    ),
    on_squares(
        "4, 5",
        "a^n = σ(W^n a^(n-1) + b^n)",
        truth=lambda c: [c.a[n] for n in c.w],
        written=lambda c: [sigma(plus(product(c.w[n], c.a[n - 1]), c.b[n])) for n in c.w],
    ),
    on_squares(
        "6, weights",
        "Σ_{i=1}^N n_i n_(i-1) weights (n_0 read as 0)",
        truth=lambda c: there_are(c)[0],
        written=lambda c: count(c, first=1)[0],
    ),
    on_squares(
        "6, biases",
        "Σ_{i=1}^N n_i biases",
        truth=lambda c: there_are(c)[1],
        written=lambda c: count(c, first=1)[1],
        right=lambda c: count(c, first=2)[1],
        wrong="layer 1 is the input, which has no biases",
        form="Σ_{i=2}^N n_i",
    ),
    on_squares(
        "6",
        "D = Σ_{i=1}^N n_i (1 + n_(i-1)) parameters (n_0 read as 0)",
        truth=lambda c: sum(there_are(c)),
        written=lambda c: sum(count(c, first=1)),
        right=lambda c: sum(count(c, first=2)),
        wrong="layer 1 is the input, which has no parameters",
        form="Σ_{i=2}^N n_i (1 + n_(i-1))",
    ),
    on_squares("7, 8", "C_k = Σ_i (a_i - y_i)²", truth=lambda c: c.cost, written=square),
    on_squares(
        "9",
        "C = 1/M Σ_k C_k",
        truth=lambda c: c.cost,
        written=lambda c: sum(square(c.other(k)) for k in range(EXAMPLES)) / EXAMPLES,
        setting=BATCH,
    ),
)

BACKWARD = (
    on_squares(
        "23a",
        "∂C/∂w_ij^l = a_j^(l-1) σ'(z_i^l) ∂C/∂a_i^l",
        truth=lambda c: c.dw,
        written=lambda c: {
            n: contract("j,i,i->ij", c.a[n - 1], slope(c.z[n]), c.da[n]) for n in c.w
        },
    ),
    on_squares(
        "23b",
        "∂C/∂a_i^l = Σ_p w_ip^(l+1) σ'(z_p^(l+1)) ∂C/∂a_p^(l+1)",
        truth=lambda c: c.da[2],
        written=lambda c: below(c, 3, "ip"),
        right=lambda c: below(c, 3, "pi"),
        wrong="the weight's indices are exchanged: p is the neuron it leads to",
        form="Σ_p w_pi^(l+1) σ'(z_p^(l+1)) ∂C/∂a_p^(l+1)",
    ),
    on_squares(
        "24, line 1",
        "∂C/∂a_i^(N-1) = Σ_p w_ip^N σ'(z_p^N) ∂C/∂a_p^N",
        truth=lambda c: c.da[c.last - 1],
        written=lambda c: below(c, c.last, "ip"),
        right=lambda c: below(c, c.last, "pi"),
        wrong="the weight's indices are exchanged, as in 23b",
        form="Σ_p w_pi^N σ'(z_p^N) ∂C/∂a_p^N",
    ),
    on_squares(
        "24, line 2",
        "∂C/∂a_p^N = 2 (a_p^N - y_p)",
        truth=lambda c: c.da[c.last],
        written=lambda c: 2 * plus(c.a[c.last], -c.y),
    ),
    on_squares(
        "25a",
        "∂C/∂b_i^l = 1/m Σ_k ∂C_k/∂b_i^l",
        truth=lambda c: c.db[2],
        written=lambda c: np.mean([c.other(k).db[2] for k in range(EXAMPLES)], axis=0),
        setting=BATCH,
    ),
    on_squares(
        "25b",
        "∂C/∂b_i^l = σ'(z_i^l) ∂C/∂a_i^l",
        truth=lambda c: c.db,
        written=lambda c: {n: entrywise(slope(c.z[n]), c.da[n]) for n in c.w},
    ),
)

NOTES = Source(
    "ANN",
    "What is an Artificial Neural Network (ANN)?, no author, no year",
    (*FORWARD, *CHAIN, *BACKWARD),
)
