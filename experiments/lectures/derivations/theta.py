"""The view of a random network that the notes "Neural networks" have: biases inside Θ.

Their layer i is layer i - 1 of a `Case`; Θ^i has the biases of layer i+1 in its first column.
"""

import numpy as np

from experiments.lectures.derivations.network import Case


def thetas(c: Case) -> dict[int, np.ndarray]:
    """Θ^i, (N_(i+1), N_i + 1)."""
    return {i: np.column_stack([c.b[i], c.w[i]]) for i in c.w}


def gradients(c: Case) -> dict[int, np.ndarray]:
    """∂C/∂Θ^i by `jax.grad`."""
    return {i: np.column_stack([c.db[i], c.dw[i]]) for i in c.w}


def inputs(c: Case) -> dict[int, np.ndarray]:
    """z of the layers 2 to L+1."""
    return {i + 1: c.z[i] for i in c.w}


def outputs(c: Case) -> dict[int, np.ndarray]:
    """a of the layers 1 to L+1, without the bias unit."""
    return {i + 1: c.a[i] for i in c.a}


def by_inputs(c: Case) -> dict[int, np.ndarray]:
    """∂C/∂z of the layers 2 to L+1 by `jax.grad`."""
    return {i + 1: c.dz[i] for i in c.w}


def by_outputs(c: Case) -> dict[int, np.ndarray]:
    """∂C/∂a of the layers 2 to L+1 by `jax.grad`."""
    return {i + 1: c.da[i] for i in c.w}
