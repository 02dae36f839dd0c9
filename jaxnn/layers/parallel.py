"""Layers side by side, on the same input."""

from functools import reduce
from itertools import accumulate, pairwise
from typing import Any, Literal

import jax.numpy as jnp

from jaxnn.core.inputs import described
from jaxnn.core.layer import Layer, Read, Shape, check_layers
from jaxnn.core.refusals import check_entries, located
from jaxnn.core.trees import added
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.combinators import freeze_each, split_key


class Branches(Layer):
    """Base of what puts layers side by side on the same input; a subclass merges their outputs.

    Parameters, residuals and readings are tuples with an entry for each layer.
    """

    layers: tuple[Layer, ...]
    """Each gets the same input."""
    curved = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers(type(self).__name__, self.layers)

    def init(self, key: Key, x: Tree) -> tuple[Any, ...]:
        params = []
        for i, (layer, k) in enumerate(zip(self.layers, split_key(key, self.layers), strict=True)):
            with located(f"[{i}]", layer):
                params.append(layer.init(k, x))
        return tuple(params)

    def begin(self, params: Params, x: Tree) -> tuple[Any, ...]:
        check_entries(self, params, len(self.layers))
        states = []
        for i, layer in enumerate(self.layers):
            with located(f"[{i}]", layer):
                states.append(layer.begin(params[i], x))
        return tuple(states)

    def observe(self, residuals: Tree) -> tuple[Any, ...]:
        return tuple(a.observe(r) for a, (r, _) in zip(self.layers, residuals, strict=True))

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layers, params = freeze_each(self.layers, params, statistics)
        return self.replace(layers=layers), params

    def _outputs(self, params: Params, x: Tree, key: Key) -> tuple[list[Any], list[Any]]:
        """What each layer makes of x, and its residuals."""
        check_entries(self, params, len(self.layers))
        ys, residuals = [], []
        keys = split_key(key, self.layers)
        for i, (layer, p, k) in enumerate(zip(self.layers, params, keys, strict=True)):
            with located(f"[{i}]", layer):
                y, r = layer.forward(p, x, k)
                _check_single(layer, y)
            ys.append(y)
            residuals.append(r)
        return ys, residuals

    def _resumed(
        self, params: Params, state: Tree, x: Tree, key: Key
    ) -> tuple[list[Any], list[Any], tuple[Any, ...]]:
        """The same of the next part, and the states behind it."""
        ys, residuals, states = [], [], []
        for i, (layer, k) in enumerate(zip(self.layers, split_key(key, self.layers), strict=True)):
            with located(f"[{i}]", layer):
                y, r, s = layer.resume(params[i], state[i], x, k)
                _check_single(layer, y)
            ys.append(y)
            residuals.append(r)
            states.append(s)
        return ys, residuals, tuple(states)

    def _pushed(
        self, params: Params, residuals: list[Tree], vparams: Params, vx: Tree
    ) -> tuple[list[Any], tuple[Any, ...]]:
        """The tangents of the outputs, and what each layer needs to bend."""
        vys, tangents = [], []
        for i, (layer, r) in enumerate(zip(self.layers, residuals, strict=True)):
            with located(f"[{i}]", layer):
                vy, t = layer.push(params[i], r, vparams[i], vx)
            vys.append(vy)
            tangents.append(t)
        return vys, tuple(tangents)

    def _pulled(
        self, params: Params, residuals: list[Tree], errors: list[Any], read: Read
    ) -> tuple[Tree, tuple[Any, ...]]:
        """dx, the sum over the layers, and the readings, given the error of each output."""
        dx, readings = None, []
        for i, layer in enumerate(self.layers):
            with located(f"[{i}]", layer):
                dx_i, reading = layer.backward(params[i], residuals[i], errors[i], read)
            dx = added(dx, dx_i)
            readings.append(reading)
        return dx, tuple(readings)

    def _bent(
        self,
        params: Params,
        kept: list[tuple[Tree, Tree]],
        errors: list[tuple[Any, Any]],
        read: Read,
    ) -> tuple[Tree, Tree, tuple[Any, ...]]:
        """dx, rdx and the readings, given (residuals, tangents) and the errors of each layer."""
        dx, rdx, readings = None, None, []
        for i, layer in enumerate(self.layers):
            with located(f"[{i}]", layer):
                dx_i, rdx_i, reading = layer.bend(params[i], *kept[i], *errors[i], read)
            dx, rdx = added(dx, dx_i), added(rdx, rdx_i)
            readings.append(reading)
        return dx, rdx, tuple(readings)


class Parallel(Branches):
    """Several layers on the same input, merged: their sum, or joined along the last axis.

        y = sum_i layer_i(x)    or    y = [layer_0(x), layer_1(x), ...]

    `Parallel((a, b), "sum")`, `Parallel((a, b), "concat")`. Parameters, residuals and readings are
    tuples with an entry for each layer. Backward hands each layer its part of dy and sums dx. Each
    layer gets all of several inputs, and returns one array: `Parallel((Take(0), Take(1)),
    "concat")` joins two of them; `Product` multiplies. Raises ValueError if the outputs do not fit
    together, TypeError for one that is a tuple.
    """

    merge: Literal["sum", "concat"]
    """Whether their outputs are added, or joined along the last axis."""

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        ys, residuals = self._outputs(params, x, key)
        return self._merged(ys), _with_shapes(residuals, ys)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        errors = self._parts(dy, residuals)
        return self._pulled(params, [r for r, _ in residuals], errors, read)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        ys, residuals, states = self._resumed(params, state, x, key)
        return self._merged(ys), _with_shapes(residuals, ys), states

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        vys, tangents = self._pushed(params, [r for r, _ in residuals], vparams, vx)
        moving = [vy for vy in vys if vy is not None]
        if self.merge == "concat" and moving:
            still = [jnp.zeros(shape.dims, moving[0].dtype) for _, shape in residuals]
            parts = [z if vy is None else vy for vy, z in zip(vys, still, strict=True)]
            return jnp.concatenate(parts, axis=-1), tangents
        return reduce(added, vys), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        kept = [(r, t) for (r, _), t in zip(residuals, tangents, strict=True)]
        errors = zip(self._parts(dy, residuals), self._parts(rdy, residuals), strict=True)
        return self._bent(params, kept, list(errors), read)

    def _parts(self, dy: Tree, residuals: Tree) -> list[Any]:
        """The part of dy for each layer: all of it, or where its output was joined to the rest."""
        if self.merge == "sum":
            return [dy] * len(self.layers)
        ends = list(accumulate(shape.dims[-1] for _, shape in residuals))
        return [dy[..., start:stop] for start, stop in pairwise([0, *ends])]

    def _merged(self, ys: list[Any]) -> Any:
        self._check_outputs([y.shape for y in ys])
        return sum(ys[1:], ys[0]) if self.merge == "sum" else jnp.concatenate(ys, axis=-1)

    def _check_outputs(self, shapes: list[tuple[int, ...]]) -> None:
        kept = [shape if self.merge == "sum" else shape[:-1] for shape in shapes]
        if len(set(kept)) > 1:
            alike = "equal shapes" if self.merge == "sum" else "shapes equal but for the last axis"
            raise ValueError(f"{self!r}: expected outputs of {alike} to {self.merge}, got {shapes}")


def _with_shapes(residuals: list[Tree], ys: list[Any]) -> tuple[Any, ...]:
    return tuple((r, Shape(y.shape)) for r, y in zip(residuals, ys, strict=True))


def _check_single(layer: Layer, y: Tree) -> None:
    if isinstance(y, tuple):
        raise TypeError(
            f"{layer!r}: expected one array of each layer side by side, got {described(y)}; end it "
            "with Take(0)"
        )
