"""The partial derivatives that chain rules are made of, each by autodiff from its own formula.

A layer of n neurons on n' gives the whole Jacobians; one neuron on one gives numbers.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.lectures.derivations.autodiff import derivative
from experiments.lectures.derivations.network import Case


def weighted_input(w: Any, a: Any, b: Any) -> Any:
    """z = w a + b."""
    return jnp.dot(w, a) + b


def z_by_w(c: Case, layer: int) -> np.ndarray:
    """∂z^l/∂w^l, (n, n, n')."""
    return derivative(weighted_input, c.w[layer], c.a[layer - 1], c.b[layer], by=0)


def z_by_a(c: Case, layer: int) -> np.ndarray:
    """∂z^l/∂a^(l-1), (n, n')."""
    return derivative(weighted_input, c.w[layer], c.a[layer - 1], c.b[layer], by=1)


def z_by_b(c: Case, layer: int) -> np.ndarray:
    """∂z^l/∂b^l, (n, n)."""
    return derivative(weighted_input, c.w[layer], c.a[layer - 1], c.b[layer], by=2)


def a_by_z(c: Case, layer: int) -> np.ndarray:
    """∂a^l/∂z^l, (n, n), for a logistic layer."""
    return derivative(jax.nn.sigmoid, c.z[layer])


def q_by_z(c: Case) -> np.ndarray:
    """∂q_i/∂z_j of the output layer, (n, n), for a softmax."""
    return derivative(jax.nn.softmax, c.z[c.last])
