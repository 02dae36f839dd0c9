"""Pools with a given number of windows, laid so that they cover x whatever its size."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.images.sliding import counter, placed
from jaxnn.layers.images.windows import Each, check_images, each

Bins = list[tuple[int, int]]


class AdaptiveAvgPool(Layer):
    """The means of `size` windows along each inner axis, which together cover x.

        y[i] = mean of x[a_i : b_i],   dx[a_i : b_i] += dy[i] / (b_i - a_i)
        a_i = floor(i n / m),   b_i = ceil((i + 1) n / m)

    along an axis of n entries with m windows, one axis after the other; x (batch, *sizes, n), y
    (batch, *size, n). Where m does not divide n windows overlap by an entry, and where m > n
    entries come several times. Sums of a narrow x are in float32. Residuals: the shape of x.

    `torch.nn.AdaptiveAvgPool2d(size)` on channels last. Raises ValueError for an x without inner
    axes and another number of sizes than it has, TypeError for one that is not floating point.
    """

    size: Each
    """How many windows, along all inner axes or along each."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_images(self, x)
        x = jnp.asarray(x)
        y = x.astype(wide_dtype(x))
        for axis, bins in _bins(self, x.shape):
            means = [part.mean(axis, keepdims=True) for part in _cut(y, axis, bins)]
            y = jnp.concatenate(means, axis)
        return y.astype(x.dtype), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dy, sizes = jnp.asarray(dy), residuals.dims
        d = dy.astype(wide_dtype(dy))
        for axis, bins in reversed(_bins(self, sizes)):
            spread = zip(jnp.split(d, len(bins), axis), bins, strict=True)
            parts = [jnp.repeat(part, b - a, axis) / (b - a) for part, (a, b) in spread]
            d = _added(parts, axis, bins, sizes[axis])
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


class AdaptiveMaxPool(Layer):
    """The largest entries of `size` windows along each inner axis, the first of equal ones.

        y[i] = max of x[a_i : b_i],   dx[u*_i] += dy[i]

    with the windows of `AdaptiveAvgPool`. A nan is the largest. Residuals: for each axis, the last
    first, where in its window the largest entry is, a byte where that is shorter than 256; and the
    shape of x. Raises as `AdaptiveAvgPool`. `torch.nn.AdaptiveMaxPool2d(size)` on channels last.
    """

    size: Each
    """How many windows, along all inner axes or along each."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_images(self, x)
        x = jnp.asarray(x)
        y, which = x, []
        for axis, bins in _bins(self, x.shape):
            parts = _cut(y, axis, bins)
            places = [jnp.argmax(part, axis, keepdims=True) for part in parts]
            y = jnp.concatenate([part.max(axis, keepdims=True) for part in parts], axis)
            longest = max(b - a for a, b in bins)
            which.append(jnp.concatenate(places, axis).astype(counter(longest)))
        return y, (tuple(which), Shape(x.shape))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        which, shape = residuals
        dy = jnp.asarray(dy)
        d = dy.astype(wide_dtype(dy))
        for (axis, bins), place in reversed(list(zip(_bins(self, shape.dims), which, strict=True))):
            won = _won(place, axis, bins)
            spread = zip(jnp.split(d, len(bins), axis), won, strict=True)
            d = _added([jnp.where(w, part, 0) for part, w in spread], axis, bins, shape.dims[axis])
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        if vx is None:
            return None, None
        which, shape = residuals
        for (axis, bins), place in zip(_bins(self, shape.dims), which, strict=True):
            picked = zip(_cut(vx, axis, bins), _won(place, axis, bins), strict=True)
            parts = [jnp.where(won, part, 0).sum(axis, keepdims=True) for part, won in picked]
            vx = jnp.concatenate(parts, axis)
        return vx, None


def _bins(layer: Any, shape: tuple[int, ...]) -> list[tuple[int, Bins]]:
    """The windows along each inner axis, (start, stop), the last axis first."""
    sizes = shape[1:-1]
    wanted = zip(sizes, each(layer, "size", sizes), strict=True)
    found = [[(i * n // m, -(-(i + 1) * n // m)) for i in range(m)] for n, m in wanted]
    return list(enumerate(found, start=1))[::-1]


def _cut(x: Array, axis: int, bins: Bins) -> list[Array]:
    return [lax.slice_in_dim(x, a, b, axis=axis) for a, b in bins]


def _added(parts: Sequence[Array], axis: int, bins: Bins, size: int) -> Array:
    """The parts added up where they were cut."""
    total: Any = 0
    for part, (a, b) in zip(parts, bins, strict=True):
        total = total + placed(part, axis, a, size - b)
    return total


def _won(place: Array, axis: int, bins: Bins) -> list[Array]:
    """Where in each window the largest entry is."""
    found = []
    for part, (a, b) in zip(jnp.split(place, len(bins), axis), bins, strict=True):
        shape = [1] * place.ndim
        shape[axis] = b - a
        found.append(part == np.arange(b - a, dtype=place.dtype).reshape(shape))
    return found
