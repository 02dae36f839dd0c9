"""Combinators: layers made of layers."""

from functools import reduce
from typing import Any, Literal

import jax.numpy as jnp

import jaxnn.fast.draws as draws
from jaxnn.core.layer import Layer, Read, Shape, check_layers, output_like, two_rows
from jaxnn.core.refusals import check_entries, located
from jaxnn.core.trees import added
from jaxnn.core.types import Key, Params, Tree


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
        for i, (layer, k) in enumerate(zip(self.layers, _split(key, self.layers), strict=True)):
            with located(f"[{i}]", layer):
                params.append(layer.init(k, x))
                x = output_like(layer, params[-1], x, k)
        return tuple(params)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_entries(self, params, len(self.layers))
        residuals = []
        keys = _split(key, self.layers)
        for i, (layer, p, k) in enumerate(zip(self.layers, params, keys, strict=True)):
            with located(f"[{i}]", layer):
                x, r = layer.forward(p, x, k)
            residuals.append(r)
        return x, tuple(residuals)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        readings = []
        for i in reversed(range(len(self.layers))):
            with located(f"[{i}]", self.layers[i]):
                dy, reading = self.layers[i].backward(params[i], residuals[i], dy, read)
            readings.append(reading)
        return dy, tuple(reversed(readings))

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
        layers, params = _freeze(self.layers, params, statistics)
        return Serial(layers), params


def serial(*layers: Layer) -> Serial:
    """The layers one after the other, as one layer."""
    return Serial(layers)


class Skip(Layer):
    """A branch beside the identity: y = x + branch(x), dx = dy + branch^T(dy).

    Parameters, residuals and readings are those of the branch. Raises ValueError if the branch
    changes the shape. Source: He et al. 2016, eq. 1.
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
        if y.shape != x.shape:
            raise ValueError(
                f"{self!r}: expected the branch to keep the shape {x.shape} of x, got {y.shape}; "
                f"end it with a layer of {x.shape[-1]} outputs"
            )
        return x + y, residuals

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, readings = self.branch.backward(params, residuals, dy, read)
        return dy + dx, readings

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        vy, tangents = self.branch.push(params, residuals, vparams, vx)
        return added(vx, vy), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        dx, rdx, readings = self.branch.bend(params, residuals, tangents, dy, rdy, read)
        return dy + dx, rdy + rdx, readings

    def observe(self, residuals: Tree) -> Any:
        return self.branch.observe(residuals)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        branch, params = self.branch.freeze(params, statistics)
        return Skip(branch), params


class Parallel(Layer):
    """Several layers on the same input, merged: their sum, or joined along the last axis.

        y = sum_i layer_i(x)    or    y = [layer_0(x), layer_1(x), ...]

    `Parallel((a, b), "sum")`, `Parallel((a, b), "concat")`. Parameters, residuals and readings are
    tuples with an entry for each layer. Backward hands each layer its part of dy and sums dx.
    Raises ValueError if the outputs do not fit together.
    """

    layers: tuple[Layer, ...]
    """Each gets the same input."""
    merge: Literal["sum", "concat"]
    """Whether their outputs are added, or joined along the last axis."""
    curved = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers("Parallel", self.layers)

    def init(self, key: Key, x: Tree) -> tuple[Any, ...]:
        params = []
        for i, (layer, k) in enumerate(zip(self.layers, _split(key, self.layers), strict=True)):
            with located(f"[{i}]", layer):
                params.append(layer.init(k, x))
        return tuple(params)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_entries(self, params, len(self.layers))
        ys, residuals = [], []
        keys = _split(key, self.layers)
        for i, (layer, p, k) in enumerate(zip(self.layers, params, keys, strict=True)):
            with located(f"[{i}]", layer):
                y, r = layer.forward(p, x, k)
            ys.append(y)
            residuals.append((r, Shape(y.shape)))
        self._check_outputs([y.shape for y in ys])
        y = sum(ys[1:], ys[0]) if self.merge == "sum" else jnp.concatenate(ys, axis=-1)
        return y, tuple(residuals)

    def _check_outputs(self, shapes: list[tuple[int, ...]]) -> None:
        kept = [shape if self.merge == "sum" else shape[:-1] for shape in shapes]
        if len(set(kept)) > 1:
            alike = "equal shapes" if self.merge == "sum" else "shapes equal but for the last axis"
            raise ValueError(f"{self!r}: expected outputs of {alike} to {self.merge}, got {shapes}")

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, readings, start = None, [], 0
        for i, (layer, (r, shape)) in enumerate(zip(self.layers, residuals, strict=True)):
            part, stop = dy, start + shape.dims[-1]
            if self.merge == "concat":
                part, start = dy[..., start:stop], stop
            with located(f"[{i}]", layer):
                dx_i, reading = layer.backward(params[i], r, part, read)
            dx = dx_i if dx is None else dx + dx_i
            readings.append(reading)
        return dx, tuple(readings)

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        vys, tangents = [], []
        for i, (layer, (r, _)) in enumerate(zip(self.layers, residuals, strict=True)):
            with located(f"[{i}]", layer):
                vy, t = layer.push(params[i], r, vparams[i], vx)
            vys.append(vy)
            tangents.append(t)
        moving = [vy for vy in vys if vy is not None]
        if self.merge == "concat" and moving:
            still = [jnp.zeros(shape.dims, moving[0].dtype) for _, shape in residuals]
            parts = [z if vy is None else vy for vy, z in zip(vys, still, strict=True)]
            return jnp.concatenate(parts, axis=-1), tuple(tangents)
        return reduce(added, vys), tuple(tangents)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        dx, rdx, readings, start = None, None, [], 0
        for i, (layer, (r, shape)) in enumerate(zip(self.layers, residuals, strict=True)):
            part, rpart, stop = dy, rdy, start + shape.dims[-1]
            if self.merge == "concat":
                part, rpart, start = dy[..., start:stop], rdy[..., start:stop], stop
            with located(f"[{i}]", layer):
                dx_i, rdx_i, reading = layer.bend(params[i], r, tangents[i], part, rpart, read)
            dx, rdx = added(dx, dx_i), added(rdx, rdx_i)
            readings.append(reading)
        return dx, rdx, tuple(readings)

    def observe(self, residuals: Tree) -> tuple[Any, ...]:
        return tuple(a.observe(r) for a, (r, _) in zip(self.layers, residuals, strict=True))

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layers, params = _freeze(self.layers, params, statistics)
        return Parallel(layers, self.merge), params


def _split(key: Key, layers: tuple[Layer, ...]) -> list[Any]:
    return [None] * len(layers) if key is None else draws.split(key, len(layers))


def _freeze(layers: tuple[Layer, ...], params: Params, statistics: Tree) -> Any:
    """(layers, params), both tuples, each layer frozen with its own statistics."""
    frozen = []
    for i, layer in enumerate(layers):
        with located(f"[{i}]", layer):
            frozen.append(layer.freeze(params[i], statistics and statistics[i]))
    return tuple(zip(*frozen, strict=True))
