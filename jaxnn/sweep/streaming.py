"""A sequence in parts: what a network knows in front of it, and the outputs of the next part."""

from typing import Any

import jax

from jaxnn.core.inputs import as_arrays, check_examples
from jaxnn.core.layer import Layer, check_network
from jaxnn.core.types import Key, Params, Tree


def begin(net: Layer, params: Params, x: Tree) -> Any:
    """The state of the network in front of the first part of sequences like x (batch, time, ...).

    Of x only shape and dtype are used. Raises TypeError for a network with a layer that mixes
    positions and cannot go on from part to part, such as `Flatten` or batch-norm in training,
    naming it; ValueError for an empty batch.
    """
    check_network(net)
    x = as_arrays(x)
    check_examples(x)
    return net.begin(params, x)


def resume(net: Layer, params: Params, state: Tree, x: Tree, key: Key = None) -> tuple[Any, Any]:
    """(outputs, state) for the next part x of the sequences, whose state `begin` or the last
    `resume` gave: with parts end to end, the outputs are those of `predict` for the whole.

        state = begin(net, params, x)
        outputs, state = resume(net, params, state, x)          the text so far
        outputs, state = resume(net, params, state, x_next)     one more character

    x (batch, time, ...), with any number of positions; each new number of them compiles once. Of
    several inputs each is that of this part: lengths count from its first position. A state may be
    resumed from more than once, as in a search. Raises ValueError for an empty batch.
    """
    check_network(net)
    x = as_arrays(x)
    check_examples(x)
    return _resume(net, params, state, x, key)


@jax.jit
def _resume(net: Layer, params: Params, state: Tree, x: Tree, key: Key) -> tuple[Any, Any]:
    y, _, state = net.resume(params, state, x, key)
    return y, state
