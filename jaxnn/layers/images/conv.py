"""Convolution in one, two, three dimensions, or more."""

from typing import Annotated

import jax.numpy as jnp
import numpy as np

import jaxnn.fast.draws as draws
from jaxnn.core.composed import Masked
from jaxnn.core.conv_outer import ConvOuter
from jaxnn.core.convolutions import convolve, spread
from jaxnn.core.factors import Factor
from jaxnn.core.parameters import Affine
from jaxnn.core.ranges import Count
from jaxnn.core.refusals import float_dtype, require_key
from jaxnn.core.types import Array, Key, Tree
from jaxnn.core.windows import Windows
from jaxnn.initializers import BiasInitializer, Initializer, glorot, zeros
from jaxnn.layers.images.edges import Beyond, extended, folded
from jaxnn.layers.images.windows import (
    Each,
    Padding,
    check_channels,
    check_channels_last,
    check_groups,
    check_places,
    windows,
)
from jaxnn.layers.linear_map import LinearMap


class Conv(LinearMap):
    """Each window of x times the same weights, over all inner axes (cross-correlation).

        y[n, i, o] = sum_(u, c) x[n, s i + d u - p, c] w[u, c, o] + b[o]
        dx[n, j, c] = sum_(u, o) dy[n, (j + p - d u) / s, o] w[u, c, o]
        dw[u, c, o] = sum_(n, i) x[n, s i + d u - p, c] dy[n, i, o],   db = sum dy

    with stride s, dilation d and p entries of padding in front. Shapes: x (batch, *sizes, n_in),
    `Affine` of w (*window, n_in / groups, n_out) and b (n_out,), y (batch, *places, n_out); how
    many inner axes there are, x says. `window`, `stride` and `dilation` are a number or one for
    each inner axis; `padding` is "VALID", none, "SAME", which keeps ceil(size / stride) places and
    puts an odd entry behind, a number for all sides, or for each axis a number or a pair. With g
    groups the outputs of one see its n_in / g inputs alone; groups = n_in is depthwise.

    `planes` names for each output the inputs that it sees, a table of connections: the other
    weights stay in w with a gradient of 0. `bias_per_place` gives b the shape (*places, n_out).

    Weights of PyTorch (n_out, n_in / groups, *window) are w.transpose(2, ..., 1, 0) here; those of
    Flax and Keras are w. Residuals: x. Raises ValueError for sizes that do not fit one another and
    for an x that looks like channels first, TypeError for an x that is not floating point or not of
    the parameters' dtype. Source: LeCun et al. 1989; table of connections: the same, section 3.
    """

    n_out: Annotated[int, Count]
    """Number of output channels."""
    window: Each
    """Entries of the window."""
    stride: Each = 1
    """Entries from one place of the window to the next."""
    padding: Padding = "VALID"
    """What is added around x."""
    dilation: Each = 1
    """Entries from one of the window's entries to the next."""
    groups: Annotated[int, Count] = 1
    """How many sets of channels keep to themselves."""
    bias: bool = True
    """Whether a bias is added."""
    w_init: Initializer = glorot
    """How the weights start."""
    b_init: BiasInitializer = zeros
    """How the biases start."""
    padding_mode: Beyond = "zeros"
    """What lies beyond the edges."""
    bias_per_place: bool = False
    """Whether each place has biases of its own."""
    planes: tuple[tuple[int, ...], ...] | None = None
    """For each output the inputs that it sees; unset: all."""
    mixes_positions = True

    def init(self, key: Key, x: Tree) -> Affine:
        check_channels_last(self, x)
        laid, n_in = windows(self, x), check_groups(self, x.shape[-1])
        key_w, key_b = draws.split(require_key(self, key, "init(key, x)"))
        dtype = float_dtype(x)
        w = self.w_init(key_w, (*laid.window, n_in, self.n_out), dtype)
        w = self._seen(w)
        places = laid.places if self.bias_per_place else ()
        b = self.b_init(key_b, (*places, self.n_out), dtype) if self.bias else None
        return Affine(w, b)

    def check(self, params: Affine, x: Array) -> None:
        check_channels(self, params.w, x)
        if self.bias_per_place:
            check_places(self, params.b, windows(self, x).places)

    def times(self, x: Array, w: Array) -> Array:
        x, laid = self._edged(x)
        return convolve(x, self._seen(w), laid, self.groups)

    def back(self, x: Array, w: Array, dy: Array) -> Array:
        laid = windows(self, x)
        if self.padding_mode == "zeros":
            return spread(dy, self._seen(w), laid, self.groups)
        dx = spread(dy, self._seen(w), laid.padded(), self.groups)
        return folded(dx, laid.pads, self.padding_mode)

    def outer(self, x: Array, dy: Array) -> Factor:
        x, laid = self._edged(x)
        factor = ConvOuter(x, dy, laid=laid, groups=self.groups)
        return factor if self.planes is None else Masked(factor, self._mask(x.shape[-1], dy))

    def _edged(self, x: Array) -> tuple[Array, Windows]:
        """x and its windows; with what lies beyond the edges, unless that is zeros."""
        laid = windows(self, x)
        if self.padding_mode == "zeros":
            return x, laid
        return extended(x, laid.pads, self.padding_mode), laid.padded()

    def _seen(self, w: Array) -> Array:
        return w if self.planes is None else w * self._mask(w.shape[-2], w)

    def _mask(self, n_in: int, like: Array) -> Array:
        """(n_in, n_out), 1 where an output sees an input."""
        planes = self.planes or ()
        if self.groups > 1 or len(planes) != self.n_out or not {*sum(planes, ())} <= {*range(n_in)}:
            raise ValueError(
                f"{self!r}: expected planes to name inputs of 0 to {n_in - 1} for each of "
                f"{self.n_out} outputs, in one group, got {len(planes)} entries {planes}"
            )
        mask = np.zeros((n_in, self.n_out))
        for output, inputs in enumerate(planes):
            mask[list(inputs), output] = 1
        return jnp.asarray(mask, like.dtype)
