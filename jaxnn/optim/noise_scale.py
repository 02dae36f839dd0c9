"""The gradient noise scale, followed over a training."""

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp

from jaxnn.core.ranges import Share
from jaxnn.core.types import Number, Params, Tree
from jaxnn.core.values import Pytree
from jaxnn.readings.linear import gradient
from jaxnn.readings.noise import noise_scale


class NoiseState(NamedTuple):
    """`step` counts updates; `trace` and `square` are weighted sums of those of `Noise`."""

    step: Any
    trace: Any
    square: Any


class track_noise_scale(Pytree):  # written like a function, because it is used like one
    """Hands the gradient on, and follows how noisy it is: `chain(track_noise_scale(), Adam(1e-3))`.

        traces <- decay traces + trace,   squares <- decay squares + square,   scale = their ratio

    Numerator and denominator are summed up apart, because a ratio of noise is biased; decay 1 is
    the plain sum over all steps. Reports `noise_scale`: the batch size beyond which larger batches
    hardly pay, see `jaxnn.readings.noise_scale`. It costs what the norms of the examples cost, from
    the same sweep.
    Raises ValueError for a decay outside [0, 1] and, in training, where a layer mixes examples.
    Source: McCandlish et al. 2018, appendix A.1.
    """

    decay: Annotated[Number, Share] = 0.99
    """Share of the sums that is kept."""
    read = (gradient, noise_scale)

    def init(self, params: Params) -> NoiseState:
        return NoiseState(jnp.zeros((), jnp.int32), jnp.zeros(()), jnp.zeros(()))

    def update(self, found: Tree, state: NoiseState, params: Params) -> tuple[Any, NoiseState]:
        grads, noise = found

        def mix(old: Any, new: Any) -> Any:
            return jnp.asarray(self.decay, old.dtype) * old + new.astype(old.dtype)

        trace, square = mix(state.trace, noise.trace), mix(state.square, noise.square)
        return grads, NoiseState(state.step + 1, trace, square)

    def report(self, state: NoiseState) -> dict[str, Any]:
        return {"noise_scale": state.trace / state.square}
