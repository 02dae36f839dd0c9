"""Loss scaling: errors that a narrow dtype would lose are sent down larger than they are."""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.ranges import Count, Positive
from jaxnn.core.trees import all_finite
from jaxnn.core.types import Array, Key, Number, Params, Tree
from jaxnn.core.values import Pytree, static
from jaxnn.optim.asking import asked, check_inner, reported, started
from jaxnn.optim.chaining import as_argument
from jaxnn.readings.reading import Reading

_LEAST, _LARGEST = 2.0**-24, 2.0**24


class ScaleState(NamedTuple):
    """The state of the optimizer, the scale, the steps since it changed, and those skipped."""

    optimizer: Any
    scale: Any
    good: Any
    skipped: Any


class LossScaled(Pytree):
    """An optimizer for a network in float16; `LossScaled(Adam(1e-3))`.

    The errors of the loss go down `scale` times as large, and what is read of them is divided by
    it, in float32: gradients and all other readings are what they were, but for the digits that
    float16 would lose below 6e-8. Where a number of them is not finite the step is skipped:
    parameters, the state of the optimizer and running statistics stay, and the scale is halved.
    After `every` steps without that it is doubled; with `every` None it stays as it is. It is kept
    between 2^-24 and 2^24. A scale that is a power of 2 changes no digit.

    Reports `loss_scale`, and `skipped`, the steps skipped so far. The objective of a skipped step
    may be infinite. It stands around all other wrappers, so that clipping sees the true gradient.
    Raises ValueError for numbers out of range.
    Source: Micikevicius et al. 2018, section 3.2.
    """

    optimizer: Any
    scale: Annotated[Number, Positive] = 2.0**15
    """By what errors are multiplied, at first."""
    every: Annotated[int, Count] | None = static(default=2000)
    """Steps without overflow until the scale is doubled."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_inner(self.optimizer)

    def loss_scale(self, state: ScaleState) -> Any:
        """By what errors are multiplied in the next step."""
        return state.scale

    def read(self, state: ScaleState | None) -> Reading:
        return asked(self._inner(), state and state.optimizer)

    def init(self, params: Params) -> ScaleState:
        return self._state(self._inner().init(params))

    def start(self, params: Params, found: Tree, key: Key) -> ScaleState:
        return self._state(started(self._inner(), params, found, key))

    def update(self, found: Tree, state: ScaleState, params: Params) -> tuple[Any, ScaleState]:
        """(updates, state), the updates of the optimizer, or zeros in a skipped step."""
        finite = all_finite(found)

        def kept(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda n, o: jnp.where(finite, n, o), new, old)

        safe = kept(found, jax.tree.map(jnp.zeros_like, found))
        updates, inner = self._inner().update(safe, state.optimizer, params)
        updates = kept(updates, jax.tree.map(jnp.zeros_like, updates))
        scale, good = self._next(finite, state)
        skipped = state.skipped + (~finite).astype(jnp.int32)
        return updates, ScaleState(kept(inner, state.optimizer), scale, good, skipped)

    def _next(self, finite: Array, state: ScaleState) -> tuple[Any, Any]:
        """The scale of the next step, and the steps since it changed."""
        good = jnp.where(finite, state.good + 1, 0)
        if self.every is None:
            return state.scale, good
        grown = good >= self.every
        factor = jnp.where(finite, jnp.where(grown, 2.0, 1.0), 0.5).astype(state.scale.dtype)
        return jnp.clip(factor * state.scale, _LEAST, _LARGEST), jnp.where(grown, 0, good)

    def report(self, state: ScaleState) -> dict[str, Any]:
        found = {"loss_scale": state.scale, "skipped": state.skipped}
        return found | reported(self._inner(), state.optimizer)

    def _inner(self) -> Any:
        return as_argument(self.optimizer)

    def _state(self, inner: Tree) -> ScaleState:
        good, skipped = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32)  # two, to be donated
        return ScaleState(inner, jnp.asarray(self.scale, jnp.float32), good, skipped)
