"""Every example's gradient bounded, and noise on top: the step of differentially private SGD."""

from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor
from jaxnn.core.ranges import NotNegative, Positive
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Key, Number, Params, Tree
from jaxnn.core.values import Pytree, static
from jaxnn.readings.clipping import clipped
from jaxnn.readings.norms import norms
from jaxnn.readings.reading import Reading, total


class ClipState(NamedTuple):
    """`step` counts updates, `key` draws the noise; `share` of the last mini-batch was clipped."""

    step: Any
    key: Any
    share: Any


class clip_examples(Pytree):  # written like a function, because it is used like one
    """The gradient with every example's part bounded, and noise: `chain(clip_examples(1.0), ...)`.

        g = sum_n c_n s_n g_n + noise bound c xi,   s_n = min(1, bound / |g_n|),   c = max c_n

    xi is standard normal, drawn anew at each step, so that noise is the multiplier of DP-SGD. `how`
    is that of the reading `clipped`; with "per_layer" each layer has that bound and that noise.
    Reports `clipped_share`, the part of the last mini-batch with |g_n| above the bound. The key of
    the noise comes from that of `jaxnn.start`; `init` takes key 0.

    This is a mechanism, not an account of it, and its random numbers are no secret: what epsilon a
    training has is for others to say. Raises ValueError for numbers out of range, another `how`
    and, in training, where a layer mixes examples. Source: Abadi et al. 2016, algorithm 1.
    """

    bound: Annotated[Number, Positive]
    """Largest norm of an example's gradient."""
    noise: Annotated[Number, NotNegative] = 0.0
    """Deviation of the noise, as a multiple of the bound."""
    how: Literal["flat", "per_layer", "automatic"] = static(default="flat")
    """What is bounded: the whole gradient, each layer's, or the norm taken out of it."""

    def read(self, state: ClipState | None) -> tuple[Reading, Reading]:
        return clipped(self.bound, self.how), _Shares(self.bound)

    def init(self, params: Params) -> ClipState:
        return self.start(params, None, jax.random.key(0))

    def start(self, params: Params, found: Tree, key: Key) -> ClipState:
        key = jax.random.key(0) if key is None else key
        return ClipState(jnp.zeros((), jnp.int32), jax.random.fold_in(key, 2), jnp.zeros(()))

    def update(self, found: Tree, state: ClipState, params: Params) -> tuple[Any, ClipState]:
        grads, (clips, examples, c) = found
        share = (clips / examples).astype(state.share.dtype)
        leaves, structure = jax.tree.flatten(grads)
        keys = jax.random.split(jax.random.fold_in(state.key, state.step), len(leaves))

        def noisy(g: Array, key: Key) -> Array:
            xi = jax.random.normal(key, g.shape, g.dtype)
            std = jnp.asarray(self.noise, g.dtype) * jnp.asarray(self.bound, g.dtype)
            return g + std * c.astype(g.dtype) * xi

        grads = structure.unflatten(noisy(g, k) for g, k in zip(leaves, keys, strict=True))
        return grads, ClipState(state.step + 1, state.key, share)

    def report(self, state: ClipState) -> dict[str, Any]:
        return {"clipped_share": state.share}


class _Shares(Reading):
    """(examples above the bound, examples, the largest weight c_n)."""

    bound: Any
    per_example = True

    def finish(self, readings: Tree, c: ArrayLike) -> tuple[Array, Array, Array]:
        squares = total(over(Factor, lambda factor: norms(wide(factor)), readings))
        above = squares > jnp.square(jnp.asarray(self.bound, squares.dtype))
        c = jnp.asarray(c, squares.dtype)
        return above.sum().astype(squares.dtype), jnp.asarray(len(squares), squares.dtype), c.max()

    def merge(self, state: Tree, other: Tree) -> Tree:
        (above, n, c), (more, m, d) = state, other
        return above + more, n + m, jnp.maximum(c, d)
