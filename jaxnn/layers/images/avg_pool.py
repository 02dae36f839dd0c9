"""Average-pooling."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.layer import Layer, Read, Shape
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.windows import Windows
from jaxnn.layers.images.sliding import (
    apart,
    blocks,
    check_no_window_is_padding,
    lines,
    shared,
    unblocked,
    window_axes,
)
from jaxnn.layers.images.windows import Each, Padding, windows


class AvgPool(Layer):
    """The mean of each window, channel by channel.

        y[n, i, c] = sum_u x[n, s i + d u - p, c] / m_i
        dx[n, s i + d u - p, c] += dy[n, i, c] / m_i

    Shapes and windows as for `MaxPool`. m_i counts the entries of window i that are no padding;
    with `count_padding` it counts them all. The layer is linear, so it moves as it goes forward.
    Sums of a narrow x are in float32. Residuals: the shape of x.

    `torch.nn.AvgPool2d(k, s, p)` is `AvgPool(k, s, p, count_padding=True)` on channels last:
    PyTorch counts the padding by default, as Flax does; Keras does not. Raises as `MaxPool` does.
    Source: LeCun et al. 1990.
    """

    window: Each
    """Its size, for all inner axes or for each."""
    stride: Each | None = None
    """How far the next window is; as far as a window is wide if not given."""
    padding: Padding = "VALID"
    """How much stands around x: VALID for nothing, SAME for ceil(n / stride) windows."""
    dilation: Each = 1
    """How far the entries of a window are apart."""
    count_padding: bool = False
    """Whether the padding counts as zeros of x; else it does not count."""
    mixes_positions = True
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        x, laid = jnp.asarray(x), windows(self, x)
        check_no_window_is_padding(self, laid)
        y = x.astype(wide_dtype(x))
        if apart(laid):
            y = blocks(y, laid, 0).sum(window_axes(laid))
        else:
            for line in lines(laid):
                y = reduce(jnp.add, line.entries(y, 0))
        return (y * self._share(laid, y)).astype(x.dtype), Shape(x.shape)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        laid = windows(self, jax.ShapeDtypeStruct(residuals.dims, dy.dtype))
        dy = jnp.asarray(dy)
        d = dy.astype(wide_dtype(dy))
        d = d * self._share(laid, d)
        if apart(laid):
            return unblocked(shared(d, laid), laid).astype(dy.dtype), ()
        for line in reversed(lines(laid)):
            d = line.gathered([d] * line.window)
        return d.astype(dy.dtype), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return (None if vx is None else self.forward(params, vx)[0]), None

    def _share(self, laid: Windows, like: Array) -> Array:
        """1 / m_i, (*places, 1)."""
        counts = np.ones(())
        for line in reversed(lines(laid)):
            along = line.inside().sum(1)
            along = np.full_like(along, line.window) if self.count_padding else along
            counts = np.multiply.outer(counts, along)
        if (counts == counts.flat[0]).all():
            counts = counts.flat[0]
        return jnp.asarray(1 / counts, like.dtype)[..., None]
