"""The network as training with a loss scale sees it: errors go down so many times as large."""

from typing import Any, NamedTuple

import jax

from jaxnn.core.layer import Layer
from jaxnn.core.reader import Reader, as_reader
from jaxnn.core.types import Aim, Array, Key, Read, Tree
from jaxnn.core.values import Pytree


class Scaled(NamedTuple):
    """Parameters, and by what errors are multiplied."""

    params: Any
    scale: Any


class ErrorsScaled(Layer):
    """The layer, whose errors are multiplied by a scale s on their way down.

        dx = backward(s dy) / s,   readings of factors that are divided by s

    So outputs, dx and readings are those of the layer, but for what would overflow or vanish in a
    narrow dtype. Parameters: `Scaled` with those of the layer and s; readings have the structure of
    the former alone. Residuals: those of the layer.
    """

    layer: Layer
    curved = False

    def forward(self, params: Scaled, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        return self.layer.forward(params.params, x, key)

    def backward(self, params: Scaled, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        p, s = params
        dx, readings = self.layer.backward(p, residuals, _times(s, dy), _divided(read, s))
        return _times(1 / s, dx), readings

    def turn(
        self, params: Scaled, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        p, s = params
        given = p, x, _Times(aim, s), _divided(read, s)
        values, dx, readings, observed = self.layer.turn(*given, key)
        return values, _times(1 / s, dx), readings, observed

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals)


class _Times(Pytree):
    """The loss, with s times its errors."""

    aim: Any
    s: Array

    def __call__(self, y: Tree) -> tuple[Tree, Tree]:
        values, dy = self.aim(y)
        return values, _times(self.s, dy)


def _divided(read: Read, s: Array) -> Reader:
    return as_reader(read).after(lambda factor: factor.scaled(1 / s))


def _times(s: Array, tree: Tree) -> Tree:
    return jax.tree.map(lambda leaf: s.astype(leaf.dtype) * leaf, tree)
