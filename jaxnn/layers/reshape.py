"""Layers that change shape or type and have nothing to learn."""

import math
from typing import Annotated

import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.ranges import Positive
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
        return dy.reshape(residuals.dims), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None


class Pixels(Layer):
    """Bytes of an image as numbers between 0 and 1: y = x / top.

    x is of integers, (batch, ...); y of `dtype`, by default JAX's default float. As the first layer
    it keeps a data set on the device as bytes, four times smaller than float32, and converts each
    batch inside the step. Integers have no derivative: dx is None. Residuals: none.

    Raises TypeError for an x that is not of integers.
    """

    top: Annotated[float, Positive] = 255.0
    """The byte that becomes 1."""
    dtype: str | None = None
    """Floating-point dtype of the outputs, such as bfloat16."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        if not jnp.issubdtype(x.dtype, jnp.integer):
            raise TypeError(
                f"{self!r}: expected x of bytes or other integers, got {x.dtype}; "
                "leave this layer out for data that are floating point already"
            )
        return x.astype(canonicalize_dtype(self.dtype or float)) / self.top, ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return None, ()
