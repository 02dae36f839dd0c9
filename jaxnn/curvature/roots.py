"""Roots of the Gauss-Newton matrix: what is pulled back for its diagonal and its Kronecker factors.

    G = sum_n c_n J_n^T H_n J_n = sum_n sum_v g_nv g_nv^T,   g_nv = J_n^T sqrt(c_n) S_n e_v

where S_n S_n^T = H_n. Each column sqrt(c_n) S_n e_v goes backward like an error, and leaves the
factors of g_nv. Exact, v runs over the entries of an example's output. Sampled, the columns are
mixed with random signs e, one sweep a sample, since E[(S e)(S e)^T] = S S^T. Sampled targets have
the same mean; signs have less spread, above all where examples are all but certain.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.factors import along_batch
from jaxnn.core.layer import Layer, mixing_layers
from jaxnn.core.types import Array, ArrayLike, Key, Tree
from jaxnn.losses.loss import Loss
from jaxnn.sweep.backpropagation import example_weights


def root_column(loss: Loss, outputs: Array, y: Tree, weights: ArrayLike, u: Array) -> Any:
    """sqrt(c_n) S_n u for every example, shaped like outputs, u like them or like one of them."""
    c, own = example_weights(loss, y, weights, outputs.shape[:-1], outputs.dtype)
    s = loss.root(outputs, y, jnp.broadcast_to(u, outputs.shape))
    s = s if own is None else jnp.sqrt(own)[..., None] * s
    return along_batch(jnp.sqrt(c), s)


def n_columns(outputs: Array) -> int:
    """How many columns a root has: the entries of one example's output."""
    return math.prod(outputs.shape[1:])


def unit(v: Tree, outputs: Array) -> Any:
    """The unit vector of entry v of an example's output, shaped like that output."""
    flat = jax.nn.one_hot(v, n_columns(outputs), dtype=outputs.dtype)
    return flat.reshape(outputs.shape[1:])


def random_signs(key: Key, outputs: Array) -> Any:
    """-1 or 1 for every entry of the outputs."""
    return jax.random.rademacher(key, outputs.shape, outputs.dtype)


def check_unmixed(name: str, net: Layer) -> None:
    """Refuse a network that mixes the examples of a batch."""
    mixing = mixing_layers(net)
    if mixing:
        raise ValueError(
            f"{name}: expected a network that keeps examples apart, got {', '.join(mixing)}; "
            "freeze(net, params, statistics) makes one of it"
        )
