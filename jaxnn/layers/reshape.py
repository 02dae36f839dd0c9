"""Layers that change shape or type and have nothing to learn."""

import math
from typing import Annotated

import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.ranges import Count, Positive
from jaxnn.core.refusals import check_single
from jaxnn.core.types import Key, Params, Tree


class Flatten(Layer):
    """All axes behind the first in one, the last axis fastest: (batch, *shape) to (batch, n).

    A (28, 28) image lies row after row. Backward is the inverse reshape. Residuals: the shape.
    Raises ValueError for an x without axes.
    """

    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        if x.ndim < 1:
            raise ValueError(f"{self!r}: expected x (batch, ...), got a scalar; add a batch axis")
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return _reshaped(dy, residuals), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


class Reshape(Layer):
    """All axes behind the first as others, the last fastest: (batch, *any) to (batch, *shape).

    `Reshape((28, 28, 1))` makes images of rows of 784 numbers. One entry of the shape may be -1,
    for as many as are left. Backward is the inverse. Residuals: the shape of x. Raises ValueError
    for an x without axes and one whose entries do not fill the shape.
    """

    shape: tuple[int, ...]
    """The axes of an example, behind that of the batch."""
    mixes_positions = True
    curved = False

    def __post_init__(self) -> None:
        whole = [n for n in self.shape if isinstance(n, int) and not isinstance(n, bool)]
        if len(whole) != len(self.shape) or min([*whole, 1]) < -1 or whole.count(-1) > 1:
            raise ValueError(
                "Reshape: expected a shape of whole numbers of 0 or more, one of them perhaps -1, "
                f"got {self.shape!r}"
            )

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        size = math.prod(x.shape[1:])
        known = math.prod(n for n in self.shape if n != -1)
        if x.ndim < 1 or not (size % known == 0 if -1 in self.shape and known else size == known):
            raise ValueError(
                f"{self!r}: expected x (batch, ...) with as many entries behind the batch as the "
                f"shape has, got shape {x.shape}, which has {size}"
            )
        return x.reshape(x.shape[0], *self.shape), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return _reshaped(dy, residuals), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


class Transpose(Layer):
    """The axes behind the batch in another order, y.shape[i] = x.shape[axes[i - 1]] for i >= 1.

    Axes are counted from 1, that of the batch being 0 and staying where it is: `Transpose((2, 3,
    1))` makes channels last of images with channels first, as PyTorch has them. Backward is the
    inverse. Residuals: none. Raises ValueError for axes that are not 1, 2, ... in some order, and
    for an x of another number of them.
    """

    axes: tuple[int, ...]
    """Which axis of x stands at each place behind the batch."""
    mixes_positions = True
    curved = False

    def __post_init__(self) -> None:
        if sorted(self.axes) != list(range(1, len(self.axes) + 1)):
            raise ValueError(
                f"Transpose: expected axes to be 1 to {len(self.axes)} in some order, the batch "
                f"being 0, got {self.axes!r}"
            )

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        if x.ndim != len(self.axes) + 1:
            raise ValueError(
                f"{self!r}: expected x with {len(self.axes)} axes behind the batch, got shape "
                f"{x.shape}"
            )
        return x.transpose(0, *self.axes), ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        inverse = (1 + self.axes.index(i) for i in range(1, len(self.axes) + 1))
        return (None if dy is None else dy.transpose(0, *inverse)), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


class Pixels(Layer):
    """Bytes of an image as numbers between 0 and 1: y = x / top.

    x is of integers, (batch, ...); y of `dtype`, by default JAX's default float. As the first layer
    it keeps a data set on the device as bytes, four times smaller than float32, and converts each
    batch inside the step. Integers have no derivative: dx is None. Residuals: none.

    `channels` adds channels of 0 up to that many, behind those of x (batch, *sizes, n). With 4, a
    convolution of color images takes 0.5 to 0.6 of the time on a CPU, since XLA wants channels in
    powers of two. Here the zeros cost nothing, because the conversion writes floats anyway; an x
    that has so many channels stays as it is. Weights on the zeros get no gradient.

    Raises TypeError for an x that is not of integers, ValueError for more channels than that.
    """

    top: Annotated[float, Positive] = 255.0
    """The byte that becomes 1."""
    dtype: str | None = None
    """Floating-point dtype of the outputs, such as bfloat16."""
    channels: Annotated[int, Count] | None = None
    """How many channels come out, the last of them 0; as many as x has if not given."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(
                f"{self!r}: expected x of bytes or other integers, got {x.dtype}; "
                "leave this layer out for data that are floating point already"
            )
        if self.channels is not None:
            x = self._padded(x)
        return x.astype(canonicalize_dtype(self.dtype or float)) / self.top, ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return None, ()

    def _padded(self, x: Tree) -> Tree:
        """x, still of bytes, with more channels."""
        missing = (self.channels or 0) - (x.shape[-1] if x.ndim > 1 else 0)
        if x.ndim < 2 or missing < 0:
            raise ValueError(
                f"{self!r}: expected x (batch, *sizes, n) with n <= {self.channels}, got shape "
                f"{x.shape}; give images of one channel an axis for it with x[..., None]"
            )
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, missing)])


def _reshaped(dy: Tree, shape: Shape) -> Tree:
    """dy as x is; None, of integers, stays None."""
    return None if dy is None else dy.reshape(shape.dims)
