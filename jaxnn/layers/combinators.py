"""Combinators: one layer after the other, and beside the identity."""

from collections.abc import Sequence
from typing import Any

import jaxnn.fast.draws as draws
from jaxnn.core.inputs import described, entries, main_of
from jaxnn.core.layer import Layer, Read, check_layers, output_like, resumed_like, two_rows
from jaxnn.core.refusals import check_entries, located
from jaxnn.core.trees import added
from jaxnn.core.types import Aim, Key, Params, Tree


class Serial(Layer):
    """One layer after the other; `serial(a, b, c)` builds it.

        x_(i+1) = layer_i(x_i)

    Parameters, residuals and readings are tuples with an entry for each layer, in order. Backward
    goes through the layers from last to first. A key is split, one part for each layer.
    """

    layers: tuple[Layer, ...]
    """First to last."""
    curved = False

    def __post_init__(self) -> None:
        check_layers("serial", self.layers)

    def __repr__(self) -> str:
        return f"serial({', '.join(map(repr, self.layers))})"

    def init(self, key: Key, x: Tree) -> tuple[Any, ...]:
        params = []
        x = two_rows(x)
        for i, (layer, k) in enumerate(zip(self.layers, split_key(key, self.layers), strict=True)):
            with located(f"[{i}]", layer):
                params.append(layer.init(k, x))
                x = output_like(layer, params[-1], x, k)
        return tuple(params)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_entries(self, params, len(self.layers))
        return _up(self.layers, params, x, split_key(key, self.layers))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return _down(self.layers, params, residuals, dy, read)

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        """The last layer turns."""
        check_entries(self, params, len(self.layers))
        *below, last = self.layers
        *keys, k = split_key(key, self.layers)
        x, residuals = _up(below, params[:-1], x, keys)
        with located(f"[{len(below)}]", last):
            values, dy, reading, seen = last.turn(params[-1], x, aim, read, k)
        dx, readings = _down(below, params, residuals, dy, read)
        observed = (layer.observe(r) for layer, r in zip(below, residuals, strict=True))
        return values, dx, (*readings, reading), (*observed, seen)

    def begin(self, params: Params, x: Tree) -> tuple[Any, ...]:
        check_entries(self, params, len(self.layers))
        states = []
        for i, (layer, p) in enumerate(zip(self.layers, params, strict=True)):
            with located(f"[{i}]", layer):
                states.append(layer.begin(p, x))
                x = resumed_like(layer, p, x)
        return tuple(states)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        residuals, states, keys = [], [], split_key(key, self.layers)
        for i, (layer, k) in enumerate(zip(self.layers, keys, strict=True)):
            with located(f"[{i}]", layer):
                x, r, s = layer.resume(params[i], state[i], x, k)
            residuals.append(r)
            states.append(s)
        return x, tuple(residuals), tuple(states)

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        tangents = []
        for i, layer in enumerate(self.layers):
            with located(f"[{i}]", layer):
                vx, t = layer.push(params[i], residuals[i], vparams[i], vx)
            tangents.append(t)
        return vx, tuple(tangents)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        readings = []
        stack = list(zip(self.layers, params, residuals, tangents, strict=True))
        for i, (layer, p, r, t) in reversed(list(enumerate(stack))):
            with located(f"[{i}]", layer):
                dy, rdy, reading = layer.bend(p, r, t, dy, rdy, read)
            readings.append(reading)
        return dy, rdy, tuple(reversed(readings))

    def observe(self, residuals: Tree) -> tuple[Any, ...]:
        return tuple(a.observe(r) for a, r in zip(self.layers, residuals, strict=True))

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layers, params = freeze_each(self.layers, params, statistics)
        return Serial(layers), params


def _up(layers: Sequence[Layer], params: Params, x: Tree, keys: Sequence[Key]) -> tuple[Tree, Tree]:
    """(y, residuals) of layers in a row."""
    residuals = []
    for i, (layer, p, k) in enumerate(zip(layers, params, keys, strict=True)):
        with located(f"[{i}]", layer):
            x, r = layer.forward(p, x, k)
        residuals.append(r)
    return x, tuple(residuals)


def _down(
    layers: Sequence[Layer], params: Params, residuals: Tree, dy: Tree, read: Read
) -> tuple[Tree, Tree]:
    """(dx, readings) of layers in a row, from the last to the first."""
    readings = []
    for i in reversed(range(len(layers))):
        with located(f"[{i}]", layers[i]):
            dy, reading = layers[i].backward(params[i], residuals[i], dy, read)
        readings.append(reading)
    return dy, tuple(reversed(readings))


def serial(*layers: Layer) -> Serial:
    """The layers one after the other, as one layer."""
    return Serial(layers)


class Skip(Layer):
    """A branch beside the identity: y = x + branch(x), dx = dy + branch^T(dy).

    Of several inputs the main entry alone is added. The branch is from tuple to tuple then, as in
    `Skip(Join(attention))`, and the other entries of y are those that the branch returns.

    Parameters, residuals and readings are those of the branch. Raises ValueError if the branch
    changes the shape, TypeError if it makes one array of a tuple. Source: He et al. 2016, eq. 1.
    """

    branch: Layer
    """What stands beside the identity; it keeps the shape."""
    curved = False

    def __post_init__(self) -> None:
        check_layers("Skip", (self.branch,))

    def init(self, key: Key, x: Tree) -> Params:
        return self.branch.init(key, x)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.branch.forward(params, x, key)
        self._check_output(x, y)
        return _onto_main(x, y), residuals

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, readings = self.branch.backward(params, residuals, dy, read)
        return _onto_main(dy, dx), readings

    def begin(self, params: Params, x: Tree) -> Tree:
        return self.branch.begin(params, x)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        y, residuals, state = self.branch.resume(params, state, x, key)
        self._check_output(x, y)
        return _onto_main(x, y), residuals, state

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        vy, tangents = self.branch.push(params, residuals, vparams, vx)
        return _onto_main(vx, vy), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        dx, rdx, readings = self.branch.bend(params, residuals, tangents, dy, rdy, read)
        return _onto_main(dy, dx), _onto_main(rdy, rdx), readings

    def observe(self, residuals: Tree) -> Any:
        return self.branch.observe(residuals)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        branch, params = self.branch.freeze(params, statistics)
        return Skip(branch), params

    def _check_output(self, x: Tree, y: Tree) -> None:
        if isinstance(x, tuple) != isinstance(y, tuple):
            raise TypeError(
                f"{self!r}: expected a branch from array to array or from tuple to tuple, got "
                f"{described(y)} of {described(x)}; write Skip(Join(...)) or Skip(Main(...))"
            )
        before, behind = main_of(x).shape, main_of(y).shape
        if before != behind:
            raise ValueError(
                f"{self!r}: expected the branch to keep the shape {before} of x, got {behind}; "
                f"end it with a layer of {before[-1]} outputs"
            )


def _onto_main(x: Tree, y: Tree) -> Any:
    """x + y; of tuples y, with the main entry of x added to its own. None stands for zero."""
    if not isinstance(x, tuple) and not isinstance(y, tuple):
        return added(x, y)
    n = len(x if y is None else y)
    (main, *_), (of_branch, *others) = entries(x, n), entries(y, n)
    return (added(main, of_branch), *others)


def split_key(key: Key, layers: tuple[Layer, ...]) -> list[Any]:
    """A key for each layer, or None for each."""
    return [None] * len(layers) if key is None else draws.split(key, len(layers))


def freeze_each(layers: tuple[Layer, ...], params: Params, statistics: Tree) -> Any:
    """(layers, params), both tuples, each layer frozen with its own statistics."""
    frozen = []
    for i, layer in enumerate(layers):
        with located(f"[{i}]", layer):
            frozen.append(layer.freeze(params[i], statistics and statistics[i]))
    return tuple(zip(*frozen, strict=True))
