"""Roots of the Gauss-Newton matrix: what is pulled back for its diagonal and its Kronecker factors.

    G = sum_n c_n J_n^T H_n J_n = sum_n sum_v g_nv g_nv^T,   g_nv = J_n^T sqrt(c_n) S_n e_v

where S_n S_n^T = H_n. Each column sqrt(c_n) S_n e_v, see `Swept.root`, goes backward like an error,
and leaves the factors of g_nv. Exact, v runs over the entries of an example's output. Sampled, the
columns are mixed with random signs e, one sweep a sample, since E[(S e)(S e)^T] = S S^T. Sampled
targets have the same mean; signs have less spread, above all where examples are all but certain.
"""

import math
from typing import Any

import jax

from jaxnn.core.layer import Layer
from jaxnn.core.types import Array, ArrayLike, Key, Params
from jaxnn.core.walk import mixing_layers
from jaxnn.losses.loss import Loss
from jaxnn.readings.reading import Reading
from jaxnn.sweep.backpropagation import forward_sweep, prepare
from jaxnn.sweep.records import Batch, Objective


def n_columns(outputs: Array) -> int:
    """How many columns a root has: the entries of one example's output."""
    return math.prod(outputs.shape[1:])


def unit(v: ArrayLike, outputs: Array) -> Any:
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


def asked_of(
    name: str, reading: Reading, net: Layer, loss: Loss, params: Params, batch: Batch
) -> Any:
    """What a reading of other errors than those of the targets says of a mini-batch."""
    check_unmixed(name, net)
    objective = Objective(net, loss)
    return _asked(objective, params, prepare(objective, params, batch), reading)


@jax.jit
def _asked(objective: Objective, params: Params, batch: Batch, reading: Reading) -> Any:
    return reading.answer(reading.pull(forward_sweep(objective, params, batch)))
