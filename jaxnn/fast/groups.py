"""How many of many models make a step at the same time: as many as the caches of a CPU hold."""

import jax

from jaxnn.core.types import Key, Tree

_CACHE = 3 * 2**18  # bytes of states that a group goes through in a step, and as many of gradients


def group_size(states: Tree, keys: Key, n_models: int, share: int) -> int | None:
    """The models of a group, whose states fit into one part in `share` of the cache; None for one
    model after another.

    Sixteen at most. Other devices than a CPU take all models at once.
    """
    if keys is not None and _draws_by_neighbours(keys):
        return None
    if jax.default_backend() != "cpu":
        return n_models
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(states)) // n_models
    most = min(16, _CACHE // share // max(size, 1))
    if most < 2:
        return None
    groups = -(-n_models // most)
    return -(-n_models // groups)


def _draws_by_neighbours(keys: Key) -> bool:
    """Whether a key draws other numbers under vmap than alone, as those of the kind rbg do."""
    return jax.random.key_impl(keys) in ("rbg", "unsafe_rbg")
