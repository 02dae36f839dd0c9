"""What all windows see, as arrays: in one view where they stand side by side, else axis by axis.

A window over several axes is a window along the last, then one along the axis before, and so on:
a maximum of maxima, a sum of sums. So overlapping windows of k x k entries take k + k steps, and
each step is a strided slice of x; on the way back, a slice of dx that is added to. XLA has a
scatter for that, which is slower than the slices.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.core.layer import Layer
from jaxnn.core.types import Array
from jaxnn.core.windows import Windows


def placed(x: Array, axis: int, low: int, high: int, between: int = 0, fill: float = 0.0) -> Array:
    """x with so many entries `fill` in front, behind and between its own along one axis; fewer than
    none cut off."""
    ends = [(0, 0, 0)] * x.ndim
    ends[axis] = (low, high, between)
    return lax.pad(x, jnp.asarray(fill, x.dtype), ends)


def counter(count: int) -> Any:
    """The narrowest dtype that counts so many entries, from 0."""
    return np.min_scalar_type(count - 1)


def apart(laid: Windows) -> bool:
    """Whether the windows stand side by side, without holes, and do not overlap."""
    return laid.stride == laid.window and set(laid.dilation) <= {1}


def blocks(x: Array, laid: Windows, fill: float) -> Array:
    """Windows that stand apart as a view: (batch, places, window, ..., places, window, channels).

    What no window reaches is left out, and `fill` stands for the padding.
    """
    cut = zip(laid.sizes, laid.window, laid.places, laid.pads, strict=True)
    ends = [(p, k * m - p - n, 0) for n, k, m, (p, _) in cut]
    x = lax.pad(x, jnp.asarray(fill, x.dtype), [(0, 0, 0), *ends, (0, 0, 0)])
    return x.reshape(x.shape[0], *_pairs(laid), x.shape[-1])


def shared(y: Array, laid: Windows) -> Array:
    """y (batch, *places, channels) at every entry of its window, as `blocks` has them."""
    return jnp.broadcast_to(spread(y, laid), (len(y), *_pairs(laid), y.shape[-1]))


def unblocked(d: Array, laid: Windows) -> Array:
    """The inverse of `blocks`: 0 where no window reaches, and nothing of the padding."""
    cut = zip(laid.sizes, laid.window, laid.places, laid.pads, strict=True)
    ends = [(-p, n + p - k * m, 0) for n, k, m, (p, _) in cut]
    along = [k * m for k, m in zip(laid.window, laid.places, strict=True)]
    d = d.reshape(d.shape[0], *along, d.shape[-1])
    return lax.pad(d, jnp.zeros((), d.dtype), [(0, 0, 0), *ends, (0, 0, 0)])


def window_axes(laid: Windows) -> tuple[int, ...]:
    """Which axes of `blocks` are those of a window."""
    return tuple(2 + 2 * i for i in range(len(laid.sizes)))


def spread(y: Array, laid: Windows) -> Array:
    """y (batch, *places, channels) with axes of length 1 where `blocks` has those of a window."""
    return jnp.expand_dims(y, window_axes(laid))


def _pairs(laid: Windows) -> list[int]:
    """(places, window) of each axis in turn."""
    return [size for m, k in zip(laid.places, laid.window, strict=True) for size in (m, k)]


class Line(NamedTuple):
    """The windows along one axis of x; structure, no arrays."""

    axis: int
    size: int
    window: int
    stride: int
    dilation: int
    pads: tuple[int, int]
    places: int

    def entries(self, x: Array, fill: float) -> Iterator[Array]:
        """The entry u = 0, 1, ... of all windows, `fill` where it is padding."""
        x = placed(x, self.axis, *self.pads, fill=fill)
        for u in range(self.window):
            start = u * self.dilation
            stop = start + self.stride * (self.places - 1) + 1
            yield lax.slice_in_dim(x, start, stop, self.stride, self.axis)

    def gathered(self, parts: Sequence[Array]) -> Array:
        """What `entries` is transposed to: the parts, of entry u each, added up where they were."""
        total: Any = 0
        for u, part in enumerate(parts):
            low = u * self.dilation - self.pads[0]
            high = self.size - (low + self.stride * (self.places - 1) + 1)
            total = total + placed(part, self.axis, low, high, self.stride - 1)
        return total

    def inside(self) -> np.ndarray:
        """Which entries are no padding, (places, window)."""
        starts = self.stride * np.arange(self.places)[:, None] - self.pads[0]
        at = starts + self.dilation * np.arange(self.window)
        return (at >= 0) & (at < self.size)


def lines(laid: Windows) -> list[Line]:
    """The windows along each inner axis, the last axis first."""
    along = zip(*laid, laid.places, strict=True)
    found = [Line(axis, *one) for axis, one in enumerate(along, start=1)]
    return found[::-1]


def check_no_window_is_padding(layer: Layer, laid: Windows) -> None:
    """Refuse windows of which some have no entry of x."""
    for line in lines(laid):
        empty = ~line.inside().any(1)
        if empty.any():
            raise ValueError(
                f"{layer!r}: expected an entry of x in every window, got padding alone in window "
                f"{int(empty.argmax())} along axis {line.axis}, which has {line.size} entries and "
                f"{line.pads} of padding; take less padding, or a smaller dilation"
            )
