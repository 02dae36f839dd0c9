"""Gradient transformations: what turns a gradient into an update.

    init(params)                  -> state
    update(grads, state, params)  -> (updates, state)

Updates are added to the parameters. An optimizer is a transformation; `chain` makes one of several;
anything else with these two methods can be used in `train_step`, such as a pair of functions. One
that reads more of a sweep than the gradient says so, see `jaxnn.optim.asking`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp

from jaxnn.core.parameters import weights
from jaxnn.core.ranges import NotNegative, Positive
from jaxnn.core.refusals import check_same_tree
from jaxnn.core.trees import global_norm
from jaxnn.core.types import Array, Number, Params, Path, Tree
from jaxnn.core.values import Pytree
from jaxnn.schedules import rate_at


class Transformation(Protocol):
    """Anything with `init` and `update` as above."""

    def init(self, params: Params, /) -> Tree: ...

    def update(self, found: Tree, state: Tree, params: Params, /) -> tuple[Any, Any]: ...


class _Clip(Pytree):
    limit: Annotated[Number, Positive]

    def init(self, params: Params) -> tuple[()]:
        return ()


class clip_by_global_norm(_Clip):  # written like a function, because it is used like one
    """g * min(1, limit / |g|), |g| the norm of all gradients together; |g| = 0 stays.

    Raises ValueError for a limit that is not positive. Source: Pascanu, Mikolov and Bengio 2013,
    algorithm 1.
    """

    any_shape = True

    def update(self, grads: Params, state: Tree, params: Params) -> tuple[Any, Any]:
        norm = global_norm(grads)
        limit = jnp.asarray(self.limit, norm.dtype)
        scale = jnp.where(norm > limit, limit / jnp.where(norm > 0, norm, 1), 1)
        return jax.tree.map(lambda g: g * scale.astype(g.dtype), grads), state


class clip_by_value(_Clip):
    """min(max(g, -limit), limit), entry by entry. Raises ValueError for a limit <= 0."""

    any_shape = True

    def update(self, grads: Params, state: Tree, params: Params) -> tuple[Any, Any]:
        def clip(g: Array) -> Any:
            limit = jnp.asarray(self.limit, g.dtype)
            return jnp.clip(g, -limit, limit)

        return jax.tree.map(clip, grads), state


class soft_threshold(Pytree):  # written like a function, because it is used like one
    """The proximal step of an L1 penalty, behind an optimizer: weights that come near 0 become 0.

        p <- sign(q) max(|q| - threshold, 0),   q = p + update

    For gradient descent at the rate eta under l1 = lambda, threshold = eta lambda. Unlike the
    subgradient of `l1`, which jumps around 0, it makes weights exactly 0. `threshold` is a number
    or a schedule of the step. Weights alone. Raises ValueError for a threshold below 0.
    Source: Daubechies, Defrise and De Mol 2004; Beck and Teboulle 2009, eq. 1.5.
    """

    any_shape = True
    threshold: Annotated[Number, NotNegative] | Callable[[Array], Any]

    def init(self, params: Params) -> Params:
        return jnp.zeros((), jnp.int32)

    def update(self, grads: Params, state: Tree, params: Params) -> tuple[Any, Any]:
        threshold = rate_at(self.threshold, state.astype(float))

        def shrink(path: Path, u: Array, p: Array) -> Any:
            q = p + u
            kept = jnp.sign(q) * jnp.maximum(jnp.abs(q) - jnp.asarray(threshold, q.dtype), 0)
            return kept - p if weights(path) else u

        return jax.tree_util.tree_map_with_path(shrink, grads, params), state + 1


def apply_updates(params: Params, updates: Params) -> Any:
    """params + updates. Raises ValueError where structure or shapes differ."""
    check_same_tree("updates", updates, "params", params)
    return jax.tree.map(lambda p, u: p + u.astype(p.dtype), params, updates)
