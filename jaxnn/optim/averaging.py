"""Averages of the parameters over the course of training, for use at inference."""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.ranges import Share
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Number, Params, Tree
from jaxnn.core.values import Pytree
from jaxnn.optim.asking import asked, check_inner, reported, started
from jaxnn.optim.transforms import Transformation, apply_updates
from jaxnn.readings.reading import Reading


class Average(NamedTuple):
    """What `Averaged` keeps: the state of its optimizer, the updates made, and the average."""

    optimizer: Any
    step: Any
    params: Any


class Averaged(Pytree):
    """An optimizer, and an average of the parameters p_1, p_2, ... after each of its updates.

        average_t = sum_i decay^(t-i) p_i / sum_i decay^(t-i),    i = 1 ... t

    The updates are those of the optimizer; `averaged(state)` reads the average. Dividing by the sum
    of the weights, (1 - decay^t) / (1 - decay), leaves no bias towards the start: neither zeros nor
    the first parameters are in it. decay 0 is p_t itself, decay 1 the plain mean of all, and half
    of the weight lies on the last 0.7 / (1 - decay) updates.

    The average is a second copy of the parameters, at least in float32. `Averaged` stands inside a
    `chain` or around it, where it sees the whole update: `soft_threshold` behind it would move the
    parameters once more, unseen. decay is a number, so a sweep over decays is one `vmap`.

    Raises ValueError for a decay outside [0, 1]. Source: Polyak and Juditsky 1992 (the mean);
    Kingma and Ba 2015, section 7.2 (the decay, and division by the sum).
    """

    optimizer: Transformation
    decay: Annotated[Number, Share] = 0.999
    """Share of the average that is kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_inner(self.optimizer)

    def read(self, state: Average | None) -> Reading:
        return asked(self.optimizer, state and state.optimizer)

    def init(self, params: Params) -> Average:
        """State before the first update: the average is a copy of the parameters."""
        return self._average(self.optimizer.init(params), params)

    def start(self, params: Params, found: Tree, key: Key) -> Average:
        return self._average(started(self.optimizer, params, found, key), params)

    def _average(self, inner: Tree, params: Params) -> Average:
        # a copy, because one array cannot be donated as two
        copy = jax.tree.map(lambda p: jnp.array(p, wide_dtype(p), copy=True), params)
        return Average(inner, jnp.zeros((), jnp.int32), copy)

    def update(self, found: Tree, state: Average, params: Params) -> tuple[Any, Average]:
        """(updates, state), the updates of the optimizer."""
        updates, kept = self.optimizer.update(found, state.optimizer, params)
        step = state.step + 1

        def mix(average: Array, p: Array) -> Any:
            part = _part(jnp.asarray(self.decay, average.dtype), step.astype(average.dtype))
            return average + part * (p.astype(average.dtype) - average)

        moved = jax.tree.map(mix, state.params, apply_updates(params, updates))
        return updates, Average(kept, step, moved)

    def report(self, state: Average) -> dict[str, Any]:
        return reported(self.optimizer, state.optimizer)


def _part(decay: Number, t: Array) -> Any:
    """The weight of the newest of t terms, (1 - decay) / (1 - decay^t); 1/t for decay 1."""
    below = jnp.where(decay < 1, decay, 0)  # the branch not taken would divide 0 by 0
    return jnp.where(decay < 1, (1 - below) / (1 - below**t), 1 / t)


def averaged(state: Tree) -> Any:
    """The averaged parameters of a `State` whose optimizer is or has an `Averaged` in it.

    Structure, shapes and dtypes are those of `state.params`, and so are the values before the first
    update. `freeze(net, averaged(state), state.statistics)` is the network to use. The statistics
    of batch-norm stay the running ones, seen at the parameters of each step; those that belong to
    the average are `average_statistics(net, averaged(state), x, batch_size=...)`.

    Raises ValueError for a state with no `Averaged` in it, or with several.
    """
    leaves = jax.tree.leaves(state.optimizer, is_leaf=_is_average)
    found = [leaf for leaf in leaves if _is_average(leaf)]
    if len(found) != 1:
        raise ValueError(
            f"averaged: expected the state of an optimizer with one Averaged in it, got "
            f"{len(found)}; train with Averaged(Adam(1e-3)), for example"
        )
    return jax.tree.map(lambda a, p: a.astype(p.dtype), found[0].params, state.params)


def _is_average(node: Any) -> bool:
    return isinstance(node, Average)
