"""Pools over all positions at once, however many there are."""

import math

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.windows import Windows
from jaxnn.layers.images.max_pool import back_to_blocks, largest_of_blocks, picked_from_blocks
from jaxnn.layers.images.windows import check_images


class GlobalMaxPool(Layer):
    """The largest entry of each channel, the first of equal ones: (batch, *sizes, n) to (batch, n).

        y = max_u x[:, u],   dx[:, u*] = dy, 0 elsewhere

    With `keepdims` y is (batch, 1, ..., 1, n). A nan is the largest. Residuals: u*, in bytes up to
    256 positions, and the shape of x. Raises ValueError for an x without inner axes, TypeError for
    one that is not floating point. `x.amax((2, 3))` in PyTorch, up to ties.
    """

    keepdims: bool = False
    """Whether the inner axes stay, with length 1."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_images(self, x)
        y, which = largest_of_blocks(jnp.asarray(x), _one_window(x))
        return _shaped(y, self.keepdims), (which, Shape(x.shape))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        which, shape = residuals
        laid = _one_window(jax.ShapeDtypeStruct(shape.dims, dy.dtype))
        return back_to_blocks(which, jnp.reshape(dy, which.shape), laid), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        if vx is None:
            return None, None
        return _shaped(picked_from_blocks(residuals[0], vx, _one_window(vx)), self.keepdims), None


class GlobalAvgPool(Layer):
    """The mean of each channel over all positions: (batch, *sizes, n) to (batch, n).

        y = sum_u x[:, u] / m,   dx[:, u] = dy / m,   m the number of positions

    With `keepdims` y is (batch, 1, ..., 1, n). Sums of a narrow x are in float32. Residuals: the
    shape of x. Raises as `GlobalMaxPool`. `torch.nn.AdaptiveAvgPool2d(1)` is this with `keepdims`.
    Source: Lin, Chen and Yan 2014, section 3.2.
    """

    keepdims: bool = False
    """Whether the inner axes stay, with length 1."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_images(self, x)
        x, axes = jnp.asarray(x), tuple(range(1, x.ndim - 1))
        y = jnp.mean(x, axes, dtype=wide_dtype(x), keepdims=self.keepdims)
        return y.astype(x.dtype), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        batch, *sizes, n = residuals.dims
        d = jnp.reshape(dy, (batch, *(1 for _ in sizes), n)) / math.prod(sizes)
        return jnp.broadcast_to(d, residuals.dims), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


def _one_window(x: Tree) -> Windows:
    """A single window, as large as x."""
    sizes = tuple(x.shape[1:-1])
    none = ((0, 0),) * len(sizes)
    return Windows(sizes, sizes, sizes, (1,) * len(sizes), none)


def _shaped(y: Tree, keepdims: bool) -> Tree:
    return y if keepdims else y.reshape(len(y), y.shape[-1])
