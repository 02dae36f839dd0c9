"""A last layer whose outputs a loss sees some positions at a time, never all at once."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Layer, check_layers
from jaxnn.core.notes import seen
from jaxnn.core.ranges import Count
from jaxnn.core.reader import Reader, keep
from jaxnn.core.summed import Cut, Step, summed
from jaxnn.core.types import Aim, Array, Key, Params, Read, Tree
from jaxnn.core.walk import every_layer


class Chunked(Layer):
    """The layer, whose outputs a loss sees n positions at a time.

        serial(..., Chunked(Dense(50_000), 128)) with softmax_cross_entropy

    As the last layer of a network it goes forward, through the loss and back with n positions, then
    with the next n, so that no array holds the logits of all. Values, gradients and all readings
    are those of the layer. A reading that is linear is added up as it goes; any other needs the
    errors of all positions, which then are formed: right, not lean. `predict`, products with the
    curvature and Fisher matrices go by the layer as it is. `Serial`, `Tie`, `MixedPrecision` and
    `Recompute` hand the loss on to their last layer; in another combinator all outputs are formed,
    so let it stand outside of that.

    x (batch, time, ...) is cut along time, with all examples in every part, so that a part has the
    multiple of the batch that is nearest to n from below; x (batch, features) along the batch. The
    last part may be smaller. Raises ValueError for a layer that mixes positions or examples, or
    draws.
    """

    layer: Layer
    """What is computed part by part; it takes each position by itself."""
    n: Annotated[int, Count]
    """Positions in a part."""
    curved = False
    turns = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers("Chunked", (self.layer,))
        for _, layer in every_layer(self.layer):
            if layer.mixes_positions or layer.mixes_examples:
                raise ValueError(
                    f"{self!r}: expected a layer that takes each position by itself, got {layer!r}"
                    "; put it in front of the Chunked"
                )

    def init(self, key: Key, x: Tree) -> Params:
        return self.layer.init(key, x)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        return self.layer.forward(params, x, key)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return self.layer.backward(params, residuals, dy, read)

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        y, whole = self._like(params, x, key)
        axis = 1 if y.ndim > 2 else 0
        size = y.shape[axis]
        step = max(1, self.n * size * y.shape[-1] // max(1, y.size))
        if whole or step >= size or not _alike((x, aim), y, axis):
            return self.layer.turn(params, x, aim, read, key)
        values, dx, readings = _in_parts(self.layer, params, (x, aim), read, Cut(axis, size, step))
        return values, dx, readings, ()

    def _like(self, params: Params, x: Tree, key: Key) -> tuple[Any, bool]:
        """The outputs as shapes, and whether the layer leaves something for `observe`, which parts
        of it would not. Refuses a layer that draws."""

        def forward(params: Params, x: Tree) -> tuple[Tree, Any]:
            y, residuals = self.layer.forward(params, x)
            return y, self.layer.observe(residuals)

        try:
            y, observed = jax.eval_shape(forward, params, x)
        except ValueError as error:
            if key is not None:
                error.args = (f"{self!r}: expected a layer that draws nothing; {error.args[0]}",)
            raise
        return y, bool(seen(observed) or jax.tree.leaves(observed))

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return self.layer.push(params, residuals, vparams, vx)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        return self.layer.bend(params, residuals, tangents, dy, rdy, read)

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layer, params = self.layer.freeze(params, statistics)
        return self.replace(layer=layer), params


def _alike(tree: Tree, y: Tree, axis: int) -> bool:
    """Whether all arrays have the positions of y, up to the axis that is cut; numbers are those of
    every part."""
    wanted = y.shape[: axis + 1]
    return all(leaf.shape[: axis + 1] in (wanted, ()) for leaf in jax.tree.leaves(tree))


def _in_parts(
    layer: Layer, params: Params, given: Tree, read: Read, cut: Cut
) -> tuple[Tree, Tree, Tree]:
    """(values, dx, readings) of all parts: losses of parts of an example add up."""

    def step(length: int) -> Step:
        def turned(sofar: Tree, start: Array, read: Reader) -> tuple[Tree, None, Tree]:
            if cut.axis == 0 and read.rows is not None:
                read = read.rows(start + jnp.arange(length))
            x, aim = cut(given, start, length)
            values, dx, readings, _ = layer.turn(params, x, aim, read)
            losses, errors = sofar
            if cut.axis == 0:
                losses = cut.put(losses, values, start)
            else:
                losses = jax.tree.map(jnp.add, losses, values)
            return (losses, cut.put(errors, dx, start)), None, readings

        return turned

    x, aim = given
    like = jax.eval_shape(lambda: layer.turn(params, x, aim, keep)[:2])
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    (values, dx), _, readings = summed(read, cut.groups(step), zeros, axis=cut.axis)
    return values, dx, readings
