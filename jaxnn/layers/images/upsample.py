"""Upsampling of the inner axes."""

from functools import reduce
from typing import Literal

import jax.numpy as jnp
from jax import lax

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.images.sliding import placed
from jaxnn.layers.images.windows import Each, check_images, each


class Upsample(Layer):
    """`factor` entries for each of x, along each inner axis: (batch, *(factor size), n).

        nearest   y[f i + r] = x[i],                    dx[i] = sum_r dy[f i + r]
        linear    y[f i + r] = (1 - t) x[j] + t x[j + 1],   j + t = i + (r + 1/2) / f - 1/2

    for r = 0 .. f - 1. "linear" takes an entry for the middle of its pixel; in front of the first
    middle and behind the last it goes on as x there; one axis after the other, which is bilinear on
    images. Backward is the transpose. The layer is linear, so it moves as it goes forward.
    Residuals: the shape of x.

    `torch.nn.Upsample(scale_factor=f, mode="nearest" or "bilinear")` on channels last, and Keras'
    `UpSampling2D(f, interpolation=...)`. Raises ValueError for an x without inner axes and another
    number of factors than it has, TypeError for one that is not floating point.
    """

    factor: Each
    """How many times as many entries, along all inner axes or along each."""
    method: Literal["nearest", "linear"] = "nearest"
    """What stands between the entries of x."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_images(self, x)
        x = jnp.asarray(x)
        y = x.astype(wide_dtype(x))
        for axis, f in enumerate(each(self, "factor", x.shape[1:-1]), start=1):
            y = jnp.repeat(y, f, axis) if self.method == "nearest" else _between(y, axis, f)
        return y.astype(x.dtype), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dy, sizes = jnp.asarray(dy), residuals.dims[1:-1]
        d = dy.astype(wide_dtype(dy))
        for axis, f in enumerate(each(self, "factor", sizes), start=1):
            d = (_added if self.method == "nearest" else _back_between)(d, axis, f)
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


def _added(dy: Array, axis: int, f: int) -> Array:
    """The transpose of `jnp.repeat` along one axis."""
    return reduce(jnp.add, _phases(dy, axis, f))


def _between(x: Array, axis: int, f: int) -> Array:
    """Linear along one axis: for each r a mean of x and a neighbour, then all r side by side."""
    n, edge = x.shape[axis], [(0, 0)] * x.ndim
    edge[axis] = (1, 1)
    wide = jnp.pad(x, edge, mode="edge")
    phases = []
    for shift, t in _weights(f):
        near, far = (lax.slice_in_dim(wide, 1 + s, 1 + s + n, axis=axis) for s in (0, shift))
        phases.append((1 - t) * near + t * far)
    return jnp.stack(phases, axis + 1).reshape(*x.shape[:axis], f * n, *x.shape[axis + 1 :])


def _back_between(dy: Array, axis: int, f: int) -> Array:
    """The transpose of `_between`."""
    parts = [
        (1 - t) * d + _shifted_back(t * d, axis, shift)
        for (shift, t), d in zip(_weights(f), _phases(dy, axis, f), strict=True)
    ]
    return reduce(jnp.add, parts)


def _shifted_back(d: Array, axis: int, shift: int) -> Array:
    """dx of y[i] = x[i + shift], where x goes on at its ends as it is there; shift is 1 or -1."""
    n = d.shape[axis]
    at = n - 1 if shift > 0 else 0
    edge = lax.slice_in_dim(d, at, at + 1, axis=axis)
    return placed(d, axis, shift, -shift) + placed(edge, axis, at, n - 1 - at)


def _weights(f: int) -> list[tuple[int, float]]:
    """For r = 0 .. f - 1: which neighbour, in front (-1) or behind (1), and its weight."""
    offsets = [(r + 0.5) / f - 0.5 for r in range(f)]
    return [(-1 if t < 0 else 1, abs(t)) for t in offsets]


def _phases(d: Array, axis: int, f: int) -> list[Array]:
    """d[r], d[f + r], d[2 f + r], ... for r = 0 .. f - 1."""
    return [lax.slice_in_dim(d, r, d.shape[axis], f, axis) for r in range(f)]
