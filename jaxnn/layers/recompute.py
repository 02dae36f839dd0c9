"""A layer that keeps its input and goes forward again when it is time to go back."""

from typing import Any

from jax import lax

from jaxnn.core.layer import Layer, check_layers
from jaxnn.core.types import Aim, Key, Params, Read, Tree


class Recompute(Layer):
    """The layer, with nothing kept for backward but its input: less memory for more time.

        forward   y of the layer; residuals: x, the key, and what the layer observed, and the
                  state that it began with, if any
        backward  the layer's forward once more, then its backward

    Where it stands in a network says what is kept: `Repeat(Recompute(block), n)` keeps the input of
    each block and, while it goes back through one, the residuals of that one. Around a whole
    network it saves nothing, since all of it is computed anew at once. Shapes, parameters, readings
    and errors are those of the layer; a random layer draws the same again. `memory_report` says
    what it saves. Source: Chen et al. 2016, section 3.
    """

    layer: Layer
    """What is computed twice."""
    curved = False

    def __post_init__(self) -> None:
        check_layers("Recompute", (self.layer,))

    def init(self, key: Key, x: Tree) -> Params:
        return self.layer.init(key, x)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.layer.forward(params, x, key)
        return y, (x, key, self.layer.observe(residuals), None)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        params, residuals, dy = self._again(params, residuals, dy)
        return self.layer.backward(params, residuals, dy, read)

    def begin(self, params: Params, x: Tree) -> Tree:
        return self.layer.begin(params, x)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        y, residuals, after = self.layer.resume(params, state, x, key)
        return y, (x, key, self.layer.observe(residuals), state), after

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        """Nothing is kept where forward and backward follow each other."""
        return self.layer.turn(params, x, aim, read, key)

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        params, residuals, vparams, vx = self._again(params, residuals, vparams, vx)
        vy, _ = self.layer.push(params, residuals, vparams, vx)
        return vy, (vparams, vx)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        params, residuals, tangents, dy, rdy = self._again(params, residuals, tangents, dy, rdy)
        _, tangents = self.layer.push(params, residuals, *tangents)
        return self.layer.bend(params, residuals, tangents, dy, rdy, read)

    def _again(self, params: Params, residuals: Tree, *others: Tree) -> tuple[Any, ...]:
        """(params, residuals of the layer, *others), forward once more. At the first barrier XLA
        does not notice that it has computed this before, nor does it begin before `others` are
        there; at the second it does not keep what forward and backward compute alike."""
        x, key, _, state = residuals
        given = params, state, x, key, others
        params, state, x, key, others = lax.optimization_barrier(given)
        if state is None:
            residuals = self.layer.forward(params, x, key)[1]
        else:
            residuals = self.layer.resume(params, state, x, key)[1]
        residuals, others = lax.optimization_barrier((residuals, others))
        return params, residuals, *others

    def observe(self, residuals: Tree) -> Any:
        return residuals[2]

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layer, params = self.layer.freeze(params, statistics)
        return Recompute(layer), params
