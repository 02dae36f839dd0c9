"""Hidden layers in the notation of the notes that stop at them ("Neural networks", back-propagation
procedure, step 4): the recursion they look for, and with it the gradients of all layers.

Layers are counted from 1, the input, to L+1, the output. Neuron 0 of a layer is its bias unit,
with the output a_0 = 1; θ^i_jk leads from neuron j of layer i to neuron k of layer i+1 and stands
in row k, column j of Θ^i, (N_(i+1), N_i + 1). So

    z_k^(i+1) = Σ_j θ^i_jk a_j^i  (j = 0..N_i),    a_k^(i+1) = σ(z_k^(i+1))  (k = 1..N_(i+1)).

A change of a_j^i reaches the cost only by the inputs z_k of layer i+1, each of which it changes at
the rate ∂z_k^(i+1)/∂a_j^i = θ^i_jk. The chain rule adds up these ways:

    ∂C/∂a_j^i = Σ_k ∂C/∂z_k^(i+1) θ^i_jk,    j = 1..N_i                       (a)

No weight is differentiated here: θ does not depend on a. Nothing leads into the bias unit, so j = 0
is left out. Inside a neuron, and from its input to a weight that leads into it,

    ∂C/∂z_j^i = σ'(z_j^i) ∂C/∂a_j^i                                           (b)
    ∂C/∂θ^i_jk = ∂C/∂z_k^(i+1) a_j^i,    j = 0..N_i                           (c)

with a single σ' for each layer on the way. The start is ∂C/∂z^(L+1); for C = ½ Σ (y - ŷ)² and
ŷ = σ(z) it is σ'(z) (ŷ - y). From there (a) and (b) lead down to layer 2, and (c) gives the
gradient of every Θ.
"""

import numpy as np

from experiments.lectures.derivations.algebra import (
    contract,
    entrywise,
    plus,
    product,
    sigma,
    slope,
)

Theta = dict[int, np.ndarray]


def with_unit(a: np.ndarray) -> np.ndarray:
    """(a_0, a_1, ..., a_N) with a_0 = 1."""
    return np.concatenate([[1.0], a])


def forward(theta: Theta, x: np.ndarray) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """Inputs z of the neurons of the layers 2 to L+1, and outputs a of the layers 1 to L+1."""
    z, a = {}, {1: x}
    for i in sorted(theta):
        z[i + 1] = product(theta[i], with_unit(a[i]))
        a[i + 1] = sigma(z[i + 1])
    return z, a


def by_output(theta: np.ndarray, dz_above: np.ndarray) -> np.ndarray:
    """Equation (a): ∂C/∂a of layer i, (N_i,), from Θ^i and ∂C/∂z of layer i+1."""
    return contract("kj,k->j", theta[:, 1:], dz_above)


def by_input(z: np.ndarray, da: np.ndarray) -> np.ndarray:
    """Equation (b): ∂C/∂z of a layer from its z and ∂C/∂a."""
    return entrywise(slope(z), da)


def by_weights(dz_above: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Equation (c): ∂C/∂Θ^i, (N_(i+1), N_i + 1), from ∂C/∂z of layer i+1 and a of layer i."""
    return contract("k,j->kj", dz_above, with_unit(a))


def sweep(theta: Theta, x: np.ndarray, y: np.ndarray) -> tuple[Theta, Theta, Theta]:
    """∂C/∂a of the layers L+1 to 2, ∂C/∂z of the same, and ∂C/∂Θ^i, for C = ½ Σ (y - ŷ)²."""
    z, a = forward(theta, x)
    top = len(theta) + 1
    da = {top: plus(a[top], -y)}
    dz = {top: by_input(z[top], da[top])}
    for i in range(top - 1, 1, -1):
        da[i] = by_output(theta[i], dz[i + 1])
        dz[i] = by_input(z[i], da[i])
    return da, dz, {i: by_weights(dz[i + 1], a[i]) for i in theta}
