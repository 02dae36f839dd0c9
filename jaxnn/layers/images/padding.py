"""Padding of the inner axes."""

from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.ranges import Finite, Natural
from jaxnn.core.refusals import check_single
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.images.edges import Pads, extended, folded
from jaxnn.layers.images.windows import pairs_of

Mode = Literal["constant", "reflect", "replicate", "circular"]


class Pad(Layer):
    """More entries in front of and behind those of x, along each inner axis.

        y[i] = x[i - p] inside,    dx[i] = sum of dy at all copies of x[i]

    Shapes: x (batch, *sizes, n), y (batch, *(p + size + q), n). Outside stands `value`, or by
    `mode` a copy: of x mirrored at its first and last entry ("reflect"), of these entries
    ("replicate"), or of x again ("circular"). Bytes stay bytes, and have no derivative: None.
    Residuals: the shape of x.

    `torch.nn.functional.pad` has the same words for `mode`. Raises ValueError for an x without
    inner axes, a `width` for another number of them, and more copies than x has entries.
    """

    width: Annotated[int, Natural] | tuple[int | tuple[int, int], ...]
    """How many entries: on all sides, or for each inner axis a number or (in front, behind)."""
    value: Annotated[float, Finite] = 0.0
    """What stands outside, if `mode` is "constant"."""
    mode: Mode = "constant"
    """What stands outside."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_single(self, x)
        pads = self._pads(x.shape)
        if self.mode == "constant":
            y = jnp.pad(x, ((0, 0), *pads, (0, 0)), constant_values=_fitting(self, x.dtype))
        else:
            y = extended(x, pads, self.mode)
        return y, Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        if dy is None:
            return None, ()
        dy = jnp.asarray(dy)
        d = dy.astype(wide_dtype(dy))
        beyond = "zeros" if self.mode == "constant" else self.mode
        d = folded(d, self._pads(residuals.dims), beyond)
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.replace(value=0.0).forward(params, vx)[0]), None

    def _pads(self, shape: tuple[int, ...]) -> Pads:
        """(in front, behind) of each inner axis."""
        sizes = shape[1:-1]
        if not sizes:
            raise ValueError(
                f"{self!r}: expected x (batch, *sizes, n), got shape {shape}; give x another axis, "
                "as in x[..., None] for images of one channel"
            )
        pads = pairs_of(self, "width", len(sizes))
        copied = [n - 1 if self.mode == "reflect" else n for n in sizes]
        fixed = self.mode in ("constant", "replicate")
        if not fixed and any(max(pad) > n for pad, n in zip(pads, copied, strict=True)):
            raise ValueError(
                f"{self!r}: expected a width of at most {copied}, as many entries as there are to "
                f"copy, got {pads} for x of shape {shape}; pad twice, or by another mode"
            )
        return pads


def _fitting(layer: Pad, dtype: Any) -> Array:
    """The value in the dtype of x."""
    if jnp.issubdtype(dtype, jnp.integer) and np.asarray(layer.value).astype(dtype) != layer.value:
        raise ValueError(
            f"{layer!r}: expected a value that x of {dtype} can hold, got {layer.value}; put "
            "Pixels() in front"
        )
    return jnp.asarray(layer.value, dtype)
