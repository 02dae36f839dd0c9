"""Locally connected layers: windows as in a convolution, with weights of their own."""

import math
from typing import Annotated

import jax
import jax.numpy as jnp

import jaxnn.fast.draws as draws
from jaxnn.core.conv_outer import LocalOuter
from jaxnn.core.convolutions import patches, unpatched
from jaxnn.core.factors import Factor
from jaxnn.core.parameters import Affine
from jaxnn.core.ranges import Count
from jaxnn.core.refusals import check_dtype, float_dtype, require_key
from jaxnn.core.types import Array, Key, Tree
from jaxnn.initializers import BiasInitializer, Initializer, glorot, zeros
from jaxnn.layers.images.windows import Each, Padding, check_channels_last, check_places, windows
from jaxnn.layers.linear_map import LinearMap


class LocallyConnected(LinearMap):
    """Each window of x times weights of its own: a convolution that shares nothing.

        y[n, i, o] = sum_(u, c) x[n, s i + d u - p, c] w[i, (u, c), o] + b[i, o]
        dw[i, (u, c), o] = sum_n x[n, s i + d u - p, c] dy[n, i, o],   db = sum dy

    Windows are as in `Conv`. Shapes: x (batch, *sizes, n_in), `Affine` of w (*places, window n_in,
    n_out), the channels of a window's entry side by side, and b (*places, n_out), y (batch,
    *places, n_out). So it takes one size of x. Residuals: x. Raises ValueError for sizes that do
    not fit one another, TypeError as `Conv` does. Source: LeCun 1989, section 4 (net 4).
    """

    n_out: Annotated[int, Count]
    """Number of output channels."""
    window: Each
    """Entries of the window."""
    stride: Each = 1
    """Entries from one place of the window to the next."""
    padding: Padding = "VALID"
    """Zeros that are added around x."""
    dilation: Each = 1
    """Entries from one of the window's entries to the next."""
    bias: bool = True
    """Whether a bias is added."""
    w_init: Initializer = glorot
    """How the weights of a place start."""
    b_init: BiasInitializer = zeros
    """How the biases start."""
    mixes_positions = True

    def init(self, key: Key, x: Tree) -> Affine:
        check_channels_last(self, x)
        laid = windows(self, x)
        places, n_seen = laid.places, math.prod(laid.window) * x.shape[-1]
        key_w, key_b = draws.split(require_key(self, key, "init(key, x)"))
        dtype = float_dtype(x)
        keys = jax.random.split(key_w, places)  # each place a draw of its own, with its own fans
        draw = jax.vmap(lambda k: self.w_init(k, (n_seen, self.n_out), dtype))
        w = draw(keys.reshape(-1)).reshape(*places, n_seen, self.n_out)
        return Affine(w, self.b_init(key_b, (*places, self.n_out), dtype) if self.bias else None)

    def check(self, params: Affine, x: Array) -> None:
        laid = windows(self, x)
        n_seen = math.prod(laid.window) * x.shape[-1]
        check_places(self, params.w[..., 0, :], laid.places)
        if params.w.shape[-2] != n_seen:
            raise ValueError(
                f"{self!r}: expected x with channels for {params.w.shape[-2]} numbers in a window, "
                f"got shape {x.shape}, which has {n_seen}"
            )
        check_dtype(self, params.w, x)

    def times(self, x: Array, w: Array) -> Array:
        return jnp.einsum("n...k,...ko->n...o", self._seen(x), w)

    def back(self, x: Array, w: Array, dy: Array) -> Array:
        laid = windows(self, x)
        entries = jnp.einsum("n...o,...ko->n...k", dy, w)
        return unpatched(entries.reshape(*dy.shape[:-1], -1, x.shape[-1]), laid)

    def outer(self, x: Array, dy: Array) -> Factor:
        return LocalOuter(self._seen(x), dy)

    def _seen(self, x: Array) -> Array:
        """What each window sees, (batch, *places, window n_in)."""
        seen = patches(x, windows(self, x))
        return seen.reshape(*seen.shape[:-2], -1)
