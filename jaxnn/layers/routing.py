"""Layers for several inputs, x = (main, *others): what of them a layer sees, and where y goes."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.inputs import described, entries
from jaxnn.core.layer import Layer, Read, check_layers
from jaxnn.core.refusals import dtype_of
from jaxnn.core.trees import added
from jaxnn.core.types import Dtype, Key, Params, Tree
from jaxnn.core.values import Static


class _Around(Layer):
    """A layer that makes the main entry of y, while the others stay what they are in x."""

    layer: Layer
    """What makes the main entry."""
    curved = False

    def __post_init__(self) -> None:
        check_layers(type(self).__name__, (self.layer,))

    def _seen(self, x: Tree) -> Any:
        """What of x the layer sees."""
        raise NotImplementedError

    def init(self, key: Key, x: Tree) -> Params:
        check_several(self, x)
        return self.layer.init(key, self._seen(x))

    def begin(self, params: Params, x: Tree) -> Tree:
        check_several(self, x)
        return self.layer.begin(params, self._seen(x))

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        check_several(self, x)
        y, residuals, state = self.layer.resume(params, state, self._seen(x), key)
        return self._beside(y, x), (residuals, _Entries(len(x))), state

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals[0])

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layer, params = self.layer.freeze(params, statistics)
        return self.replace(layer=layer), params

    def _beside(self, y: Tree, x: tuple[Any, ...]) -> tuple[Any, ...]:
        """The output of the layer, with the others of x."""
        if isinstance(y, tuple):
            raise TypeError(
                f"{self!r}: expected a layer that returns one array, got {described(y)}; a layer "
                "from tuple to tuple stands by itself"
            )
        return (y, *x[1:])


class Main(_Around):
    """The main entry through a layer, the others past it.

        y = (layer(m), *o) for x = (m, *o),    dx = (layer^T(dm), *do) for dy = (dm, *do)

    Parameters and readings are those of the layer, which returns one array. Residuals: its own, and
    the number of entries. Raises TypeError for an x that is no tuple and a y of the layer that is.
    """

    def _seen(self, x: Tree) -> Any:
        return x[0]

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_several(self, x)
        y, residuals = self.layer.forward(params, x[0], key)
        return self._beside(y, x), (residuals, _Entries(len(x)))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dm, readings = self.layer.backward(params, residuals[0], dy[0], read)
        return (dm, *dy[1:]), readings

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        residuals, x = residuals
        main, *others = entries(vx, x.n)
        vm, tangents = self.layer.push(params, residuals, vparams, main)
        return _moving((vm, *others)), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        of_main = tangents, dy[0], rdy[0]
        dm, rdm, readings = self.layer.bend(params, residuals[0], *of_main, read)
        return (dm, *dy[1:]), (rdm, *rdy[1:]), readings


class Join(_Around):
    """All entries into a layer, what it makes of them in the place of the main one.

        y = (layer(x), *o) for x = (m, *o),    dx = (dm', *(do + do')) for dy = (dm, *do)

    where (dm', *do') = layer^T(dm), and None stands where integers are. So a layer sees lengths, a
    mask, or the memory of cross-attention, and what comes behind it sees them too. Parameters,
    residuals and errors are as for `Main`.
    """

    def _seen(self, x: Tree) -> Any:
        return x

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_several(self, x)
        y, residuals = self.layer.forward(params, x, key)
        return self._beside(y, x), (residuals, _Entries(len(x)))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, readings = self.layer.backward(params, residuals[0], dy[0], read)
        return added(dx, (None, *dy[1:])), readings

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        residuals, x = residuals
        vm, tangents = self.layer.push(params, residuals, vparams, vx)
        return _moving((vm, *entries(vx, x.n)[1:])), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        of_main = tangents, dy[0], rdy[0]
        dx, rdx, readings = self.layer.bend(params, residuals[0], *of_main, read)
        return added(dx, (None, *dy[1:])), added(rdx, (None, *rdy[1:])), readings


class Take(Layer):
    """One entry of several, y = x[i]: dx is dy there, 0 elsewhere, and None where integers are.

    `Take(0)` ends a network, since a loss wants one array. Residuals: the shapes of the entries.
    Raises ValueError for an i that is no whole number >= 0 and an x that has no such entry,
    TypeError for an x that is no tuple.
    """

    i: int
    """Which entry, counted from 0."""
    curved = False

    def __post_init__(self) -> None:
        if isinstance(self.i, bool) or not isinstance(self.i, int) or self.i < 0:
            raise ValueError(f"Take: expected i to be a whole number >= 0, got {self.i!r}")

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_several(self, x)
        if self.i >= len(x):
            raise ValueError(
                f"{self!r}: expected x with an entry [{self.i}], got {len(x)}: {described(x)}"
            )
        return x[self.i], jax.tree.map(lambda entry: _Like(entry.shape, dtype_of(entry)), x)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        zeros = _zeros(residuals)
        return (*zeros[: self.i], dy, *zeros[self.i + 1 :]), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return entries(vx, len(residuals))[self.i], None


class _Entries(Static):
    """How many entries x has, among residuals: a tangent of x may be None for all of them."""

    n: int


class _Like(Static):
    """The shape and dtype of an entry, among residuals."""

    dims: tuple[int, ...]
    dtype: Dtype


def _zeros(like: Tree) -> Any:
    """The derivative by entries that nothing depends on."""
    if isinstance(like, tuple):
        return tuple(map(_zeros, like))
    return jnp.zeros(like.dims, like.dtype) if jnp.issubdtype(like.dtype, jnp.floating) else None


def _moving(v: tuple[Any, ...]) -> Any:
    """A tangent, None as a whole where nothing moves."""
    return v if jax.tree.leaves(v) else None


def check_several(layer: Layer, x: Tree) -> None:
    """Refuse an x that is no tuple."""
    if not isinstance(x, tuple) or not x:
        raise TypeError(
            f"{layer!r}: expected x to be a tuple (main, *others), got {described(x)}; give the "
            f"network several inputs, as in (ids, lengths), or leave {type(layer).__name__} out"
        )
