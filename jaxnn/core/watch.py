"""Watching: what passes through the layers of a network, written down as values.

A note of the forward sweep travels among the residuals, and comes out with what the network
observed of them; one of the backward sweep travels among the readings, in the place of the layer's
own. So a watched network is an ordinary one: it can be jitted and stand inside any combinator, and
nothing in it is done by side effect.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxnn.core.layer import Layer
from jaxnn.core.notes import Seen
from jaxnn.core.types import Key, Params, Read, Tree
from jaxnn.core.values import Pytree
from jaxnn.core.walk import map_inner, map_innermost, mixing_layers


class Noted(Pytree):
    """The readings of a layer, and a note of its backward sweep."""

    readings: Any
    seen: Seen


class Watched(Layer):
    """A layer whose sweeps are noted; everything else is the layer's own.

    `forward_note(params, x, key, y, residuals)` and `backward_note(residuals, dy, dx, readings)`
    are module-level functions that return a tree of arrays; None notes nothing.
    """

    layer: Layer
    path: str
    forward_note: Callable[..., Any] | None = None
    backward_note: Callable[..., Any] | None = None
    curved = False

    @property
    def mixes_examples(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the layer does."""
        return bool(mixing_layers(self.layer))

    def init(self, key: Key, x: Tree) -> Params:
        return self.layer.init(key, x)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.layer.forward(params, x, key)
        return y, self._noted(params, x, key, y, residuals)

    def begin(self, params: Params, x: Tree) -> Tree:
        return self.layer.begin(params, x)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        y, residuals, state = self.layer.resume(params, state, x, key)
        return y, self._noted(params, x, key, y, residuals), state

    def _noted(self, *forward: Any) -> tuple[Tree, Seen]:
        """The residuals, which come last, and the note."""
        note = self.forward_note and self.forward_note(*forward)
        return forward[-1], Seen(self.path, unwatched(self.layer), note)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        residuals = residuals[0]
        dx, readings = self.layer.backward(params, residuals, dy, read)
        if self.backward_note is None:
            return dx, readings
        note = self.backward_note(residuals, dy, dx, readings)
        return dx, Noted(readings, Seen(self.path, unwatched(self.layer), note))

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return self.layer.push(params, residuals[0], vparams, vx)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        return self.layer.bend(params, residuals[0], tangents, dy, rdy, read)

    def observe(self, residuals: Tree) -> tuple[Any, Seen]:
        residuals, note = residuals
        return self.layer.observe(residuals), note

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layer, params = self.layer.freeze(params, statistics)
        return self.replace(layer=layer), params


def watched(
    net: Layer,
    forward_note: Callable[..., Any] | None = None,
    backward_note: Callable[..., Any] | None = None,
    *,
    paths: Any = None,
    whole: Any = (),
) -> Layer:
    """The network with its innermost layers watched, at all paths or at these; a layer of a kind in
    `whole` counts as innermost, whatever it holds."""

    def change(path: str, layer: Layer) -> Layer:
        chosen = paths is None or path in paths
        return Watched(layer, path, forward_note, backward_note) if chosen else layer

    return map_innermost(change, net, whole=whole)


def watched_throughout(net: Layer, forward_note: Callable[..., Any], path: str = "") -> Layer:
    """The network with every layer watched, combinators too."""

    def change(path: str, layer: Layer) -> Layer:
        return watched_throughout(layer, forward_note, path)

    return Watched(map_inner(change, net, path), path, forward_note)


def unwatched(net: Layer) -> Layer:
    """The network without watching."""
    net = net.layer if isinstance(net, Watched) else net
    return map_inner(lambda _, layer: unwatched(layer), net)


def without_notes(readings: Tree) -> Tree:
    """The readings as the network without watching gives them."""

    def bare(node: Any) -> Any:
        return node.readings if isinstance(node, Noted) else node

    return jax.tree.map(bare, readings, is_leaf=lambda node: isinstance(node, Noted))
