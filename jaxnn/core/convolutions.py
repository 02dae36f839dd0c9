"""Convolution over all inner axes, and its two ways back.

    y[n, i, o] = sum_(u, c) x[n, s i + d u - p, c] w[u, c, o]

i and u run over all inner axes. With g groups, the outputs of a group see the channels of that
group alone: w (*window, n_in / g, n_out). It is linear in x and in w: `spread` is its transpose by
x, `correlate` that by w.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.types import Array, Dtype
from jaxnn.core.windows import Windows


def convolve(x: Array, w: Array, laid: Windows, groups: int = 1) -> Any:
    """y: the windows of x (batch, *sizes, n_in) times w, (batch, *places, n_out)."""
    return lax.conv_general_dilated(
        x,
        w,
        laid.stride,
        laid.pads,
        rhs_dilation=laid.dilation,
        dimension_numbers=_channels_last(x.ndim),
        feature_group_count=groups,
    )


def spread(d: Array, w: Array, laid: Windows, groups: int = 1) -> Any:
    """dx = sum_(u, o) d[n, (j + p - d u) / s, o] w[u, c, o], (batch, *sizes, n_in).

    It is the convolution of d, spread out by the stride, with the flipped kernel; or a product for
    each window, whose entries are added up where they were seen.
    """
    if groups == 1 and _products_pay(laid, w.shape[-2]):
        return _added_up(d, w, laid)
    along = zip(laid.extents, laid.pads, laid.rest, strict=True)
    return lax.conv_general_dilated(
        d,
        jnp.flip(swapped(w, groups), tuple(range(w.ndim - 2))),
        (1,) * len(laid.sizes),
        [(e - 1 - p, e - 1 - q + r) for e, (p, q), r in along],
        lhs_dilation=laid.stride,
        rhs_dilation=laid.dilation,
        dimension_numbers=_channels_last(d.ndim),
        feature_group_count=groups,
    )


def correlate(x: Array, d: Array, laid: Windows, groups: int = 1, sums: Dtype = None) -> Any:
    """dw = sum_(n, i) x[n, s i + d u - p, c] d[n, i, o], (*window, n_in / groups, n_out)."""
    # The channels are what does not mix, the batch is summed over. Both are put where XLA wants
    # them: told by dimension numbers alone, a loop on a CPU takes 28 times as long.
    dw = lax.conv_general_dilated(
        jnp.moveaxis(x, (0, -1), (-1, 0)),
        jnp.moveaxis(d, 0, -2),
        laid.dilation,
        [(p, q - r) for (p, q), r in zip(laid.pads, laid.rest, strict=True)],
        rhs_dilation=laid.stride,
        dimension_numbers=_channels_last(x.ndim),
        batch_group_count=groups,
        preferred_element_type=sums,
    )
    return jnp.moveaxis(dw, 0, -2)


def patches(x: Array, laid: Windows) -> Any:
    """What each window sees, (batch, *places, entries of the window, n_in)."""
    x = jnp.pad(x, ((0, 0), *laid.pads, (0, 0)))
    return jnp.stack([x[laid.seen(offset)] for offset in laid.offsets()], -2)


def unpatched(entries: Array, laid: Windows) -> Any:
    """The transpose of `patches`: the entries of all windows, added up where they were seen."""
    x = jnp.zeros((len(entries), *laid.padded().sizes, entries.shape[-1]), entries.dtype)
    for u, offset in enumerate(laid.offsets()):
        x = x.at[laid.seen(offset)].add(entries[..., u, :])
    inside = zip(laid.pads, laid.sizes, strict=True)
    return x[(slice(None), *(slice(p, p + n) for (p, _), n in inside))]


def swapped(w: Array, groups: int = 1) -> Any:
    """The kernel of the way back: (*window, n_in / g, n_out) as (*window, n_out / g, n_in)."""
    *window, n_in, n_out = w.shape
    apart = w.reshape(*window, n_in, groups, n_out // groups)
    return jnp.moveaxis(apart, -1, -3).swapaxes(-1, -2).reshape(*window, n_out // groups, -1)


def _products_pay(laid: Windows, n_in: int) -> bool:
    """Whether x has so few channels, or d so many fewer places than x, that a convolution of d
    wastes most of its work. Measured on a CPU, where alone it is done: 0.3 to 0.7 of its time, from
    28x28x1 to 10x10x128, and 0.04 at 8x8x64 with 5x5."""
    spared = math.prod(laid.sizes) >= 1.4 * math.prod(laid.places)
    return max(laid.stride) == 1 and (n_in <= 2 or spared) and jax.default_backend() == "cpu"


def _added_up(d: Array, w: Array, laid: Windows) -> Any:
    """`spread` by one product d w^T for the entries of all windows."""
    entries = d @ w.reshape(-1, w.shape[-1]).T
    return unpatched(entries.reshape(*d.shape[:-1], -1, w.shape[-2]), laid)


def _channels_last(ndim: int) -> lax.ConvDimensionNumbers:
    last, inner = ndim - 1, tuple(range(1, ndim - 1))
    return lax.ConvDimensionNumbers(
        (0, last, *inner), (last, last - 1, *(i - 1 for i in inner)), (0, last, *inner)
    )
