"""Transposed convolution: the way back of a convolution, taken forward."""

from typing import Annotated, Any

import jaxnn.fast.draws as draws
from jaxnn.core.conv_outer import ConvOuter
from jaxnn.core.convolutions import convolve, spread, swapped
from jaxnn.core.factors import Factor
from jaxnn.core.parameters import Affine
from jaxnn.core.ranges import Count, Natural
from jaxnn.core.refusals import float_dtype, require_key
from jaxnn.core.types import Array, Key, Tree
from jaxnn.core.windows import Windows
from jaxnn.initializers import BiasInitializer, Initializer, glorot, zeros
from jaxnn.layers.images.windows import (
    Each,
    Padding,
    check_channels,
    check_channels_last,
    check_groups,
    check_images,
    each,
    pads_of,
)
from jaxnn.layers.linear_map import LinearMap


class ConvTranspose(LinearMap):
    """Each entry of x times the same weights, spread over a window of y.

        y[n, s i + d u - p, o] = sum_(i, u, c) x[n, i, c] w[u, c, o] + b[o]
        dx[n, i, c] = sum_(u, o) dy[n, s i + d u - p, o] w[u, c, o]
        dw[u, c, o] = sum_(n, i) x[n, i, c] dy[n, s i + d u - p, o],   db = sum dy

    with stride s and dilation d. `padding` is what the convolution would add whose way back this
    is: p entries are cut off y in front and q behind, and `output_padding` r are added behind, so

        n_y = s (n_x - 1) + d (window - 1) + 1 - p - q + r

    "SAME" gives n_y = s n_x + r, as in Keras. Shapes: x (batch, *sizes, n_in), `Affine` of w
    (*window, n_in / groups, n_out) and b (n_out,), y (batch, *sizes of y, n_out). The window is not
    flipped: weights of PyTorch (n_in, n_out / groups, *window) are, without groups,
    w.transpose(2, ..., 0, 1) here; those of Keras (*window, n_out, n_in) w.swapaxes(-1, -2); those
    of Flax are flipped along the window.

    Residuals: x. Raises ValueError for sizes that do not fit one another and for an output_padding
    that is not below the stride, TypeError as `Conv` does.
    Source: Zeiler et al. 2010, eq. 2; sizes: Dumoulin and Visin 2016, relationship 14.
    """

    n_out: Annotated[int, Count]
    """Number of output channels."""
    window: Each
    """Entries of the window."""
    stride: Each = 1
    """Entries of y from one entry of x to the next."""
    padding: Padding = "VALID"
    """What is cut off y."""
    dilation: Each = 1
    """Entries of y from one of the window's entries to the next."""
    groups: Annotated[int, Count] = 1
    """How many sets of channels keep to themselves."""
    bias: bool = True
    """Whether a bias is added."""
    output_padding: Annotated[int, Natural] | tuple[int, ...] = 0
    """Entries of y added behind, which only biases and far windows reach."""
    w_init: Initializer = glorot
    """How the weights start."""
    b_init: BiasInitializer = zeros
    """How the biases start."""
    mixes_positions = True

    def init(self, key: Key, x: Tree) -> Affine:
        check_channels_last(self, x)
        laid, n_in = self.laid(x), check_groups(self, x.shape[-1])
        key_w, key_b = draws.split(require_key(self, key, "init(key, x)"))
        dtype = float_dtype(x)
        w = self.w_init(key_w, (*laid.window, n_in, self.n_out), dtype)
        return Affine(w, self.b_init(key_b, (self.n_out,), dtype) if self.bias else None)

    def check(self, params: Affine, x: Array) -> None:
        check_channels(self, params.w, x)

    def times(self, x: Array, w: Array) -> Array:
        return spread(x, swapped(w, self.groups), self.laid(x), self.groups)

    def back(self, x: Array, w: Array, dy: Array) -> Array:
        return convolve(dy, swapped(w, self.groups), self.laid(x), self.groups)

    def outer(self, x: Array, dy: Array) -> Factor:
        return ConvOuter(x, dy, laid=self.laid(x), groups=self.groups, transpose=True)

    def laid(self, x: Tree) -> Windows:
        """The windows over y, one for each entry of x."""
        check_images(self, x)
        places = tuple(x.shape[1:-1])
        window, stride, dilation = (each(self, f, places) for f in ("window", "stride", "dilation"))
        more = self._more(stride)
        whole = tuple(s * n for n, s in zip(places, stride, strict=True))
        laid = Windows(whole, window, stride, dilation, ((0, 0),) * len(places))
        pads = pads_of(self, laid)
        if self.padding != "SAME":
            along = zip(whole, stride, laid.extents, pads, strict=True)
            whole = tuple(n - s + e - p - q for n, s, e, (p, q) in along)
        sizes = tuple(n + r for n, r in zip(whole, more, strict=True))
        if min(sizes) < 1:
            raise ValueError(
                f"{self!r}: expected padding that leaves something of y, got {pads} for x of shape "
                f"{x.shape}, which leaves sizes {sizes}"
            )
        return laid._replace(sizes=sizes, pads=pads)

    def _more(self, stride: tuple[int, ...]) -> tuple[int, ...]:
        """`output_padding` for each axis."""
        given: Any = self.output_padding
        more = (given,) * len(stride) if isinstance(given, int) else tuple(given)
        if len(more) != len(stride) or any(r >= s for r, s in zip(more, stride, strict=False)):
            raise ValueError(
                f"{self!r}: expected output_padding below the stride, a number or one for each of "
                f"{len(stride)} inner axes, got {given!r}"
            )
        return more
