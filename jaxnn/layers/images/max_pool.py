"""Max-pooling."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.windows import Windows
from jaxnn.layers.images.sliding import (
    Line,
    apart,
    blocks,
    check_no_window_is_padding,
    counter,
    lines,
    spread,
    unblocked,
    window_axes,
)
from jaxnn.layers.images.windows import Each, Padding, windows

# Up to so many entries a chain of comparisons is faster than a reduction, which takes two passes.
FEW = 9


class MaxPool(Layer):
    """The largest entry of each window, channel by channel.

        y[n, i, c] = max_u x[n, s i + d u - p, c],   dx[n, s i + d u* - p, c] += dy[n, i, c]

    u* is the place of the largest entry, the first of equal ones in the order of rows. x is
    (batch, *sizes, channels) with one, two or more inner axes, y (batch, *places, channels); i, u,
    stride s, dilation d and padding p have an entry for each inner axis. The padding is never the
    largest, and a nan always is. With padding "VALID" what is left over behind the last window is
    left out. Residuals: u*, one byte for each y where windows do not overlap; else one byte for
    each axis in turn, since the windows are taken along the last axis first.

    `torch.nn.MaxPool2d(k, s, p, d)` is `MaxPool(k, s, p, d)` on channels last. Raises ValueError
    where no window fits and where a window would be padding alone, TypeError for an x that is not
    floating point. Source: Weng, Ahuja and Huang 1992; Ranzato, Huang, Boureau and LeCun 2007.
    """

    window: Each
    """Its size, for all inner axes or for each."""
    stride: Each | None = None
    """How far the next window is; as far as a window is wide if not given."""
    padding: Padding = "VALID"
    """How much stands around x: VALID for nothing, SAME for ceil(n / stride) windows."""
    dilation: Each = 1
    """How far the entries of a window are apart."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        x, laid = jnp.asarray(x), windows(self, x)
        check_no_window_is_padding(self, laid)
        y, which = largest_of_blocks(x, laid) if apart(laid) else _by_axes(x, laid)
        return y, (which, Shape(x.shape))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        which, shape = residuals
        dy, laid = jnp.asarray(dy), self._laid(shape, dy)
        if apart(laid):
            return back_to_blocks(which, dy, laid), ()
        d = dy.astype(wide_dtype(dy))  # where windows overlap, their dy add up
        for line, place in reversed(list(zip(lines(laid), which, strict=True))):
            d = line.gathered([jnp.where(place == u, d, 0) for u in range(line.window)])
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        if vx is None:
            return None, None
        which, shape = residuals
        laid = self._laid(shape, vx)
        if apart(laid):
            return picked_from_blocks(which, vx, laid), None
        for line, place in zip(lines(laid), which, strict=True):
            vx = _picked(place, list(line.entries(vx, 0)))
        return vx, None

    def _laid(self, shape: Shape, like: Array) -> Windows:
        return windows(self, jax.ShapeDtypeStruct(shape.dims, like.dtype))


def largest_of_blocks(x: Array, laid: Windows) -> tuple[Array, Array]:
    """(y, u*) of windows that stand apart, u* counted through the whole window."""
    v, count, first = blocks(x, laid, -np.inf), math.prod(laid.window), _first(lines(laid), x.ndim)
    if count <= FEW:
        return _chain([v[_entry(offset)] for offset in laid.offsets()], first)
    y = v.max(window_axes(laid))
    last = jnp.asarray(count - 1, counter(count))
    place = jnp.where(_wins(v, spread(y, laid)), _places(laid), last).min(window_axes(laid))
    return y, jnp.maximum(place, first.astype(place.dtype)) if first.any() else place


def back_to_blocks(which: Array, dy: Array, laid: Windows) -> Array:
    """dx of windows that stand apart, in one pass."""
    return unblocked(jnp.where(spread(which, laid) == _places(laid), spread(dy, laid), 0), laid)


def picked_from_blocks(which: Array, vx: Array, laid: Windows) -> Array:
    """The entries of vx at u*."""
    v = blocks(vx, laid, 0)
    return jnp.where(spread(which, laid) == _places(laid), v, 0).sum(window_axes(laid))


def _by_axes(x: Array, laid: Windows) -> tuple[Array, tuple[Array, ...]]:
    """(y, u* along each axis), the last axis first: the first row that has the largest entry, and
    there the first entry, is the first of the window."""
    which = []
    for line in lines(laid):
        x, place = _chain(list(line.entries(x, -np.inf)), _first([line], x.ndim))
        which.append(place)
    return x, tuple(which)


def _chain(entries: list[Array], first: np.ndarray) -> tuple[Array, Array]:
    """(y, the first entry that is y), given the entries of all windows, and which is no padding."""
    y = entries[0]
    for entry in entries[1:]:
        y = jnp.where((entry > y) | (entry != entry), entry, y)
    last = len(entries) - 1
    place = jnp.full(y.shape, last, counter(len(entries)))
    for u in reversed(range(last)):
        won = _wins(entries[u], y)
        won = won & (first <= u) if u < first.max() else won  # an x of -inf ties with the padding
        place = jnp.where(won, jnp.asarray(u, place.dtype), place)
    return y, place


def _wins(entry: Array, y: Array) -> Array:
    """Where an entry is y: equal, or nan as y then is."""
    return (entry == y) | (entry != entry)


def _first(along: list[Line], ndim: int) -> np.ndarray:
    """The first entry of each window that is no padding, counted as u* is."""
    first, scale = np.zeros((1,) * ndim, int), 1
    for line in along:
        shape = [1] * ndim
        shape[line.axis] = line.places
        first = first + scale * line.inside().argmax(1).reshape(shape)
        scale *= line.window
    return first


def _picked(place: Array, entries: list[Array]) -> Array:
    found = entries[-1]
    for u in reversed(range(len(entries) - 1)):
        found = jnp.where(place == u, entries[u], found)
    return found


def _entry(offset: tuple[int, ...]) -> tuple[Any, ...]:
    """The index of one entry of all windows, in `blocks`."""
    return (slice(None), *(part for u in offset for part in (slice(None), u)))


def _places(laid: Windows) -> np.ndarray:
    """The number of each entry of a window, the last axis fastest, shaped for `blocks`."""
    count = math.prod(laid.window)
    numbers = np.arange(count, dtype=counter(count))
    return numbers.reshape(1, *(size for k in laid.window for size in (1, k)), 1)
