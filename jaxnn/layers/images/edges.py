"""What lies beyond the edges of x, where that is not a constant.

    circular    x goes on at its other end
    reflect     x goes back from its edge, which is not repeated
    replicate   the entry at the edge, again and again

Each entry out there is a copy of one inside, so on the way back its error goes to that one.
"""

from typing import Any, Literal

import jax.numpy as jnp
from jax import lax

from jaxnn.core.types import Array
from jaxnn.layers.images.sliding import placed

Beyond = Literal["zeros", "circular", "reflect", "replicate"]
Pads = tuple[tuple[int, int], ...]
_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}  # as jnp.pad calls them


def extended(x: Array, pads: Pads, beyond: Beyond) -> Any:
    """x (batch, *sizes, channels) with p copies in front and q behind each inner axis."""
    return jnp.pad(x, ((0, 0), *pads, (0, 0)), _MODES[beyond])


def folded(d: Array, pads: Pads, beyond: Beyond) -> Any:
    """The transpose of `extended`: the errors inside, those of the copies added to them."""
    for axis, (p, q) in enumerate(pads, start=1):
        n = d.shape[axis] - p - q
        inside = lax.slice_in_dim(d, p, p + n, axis=axis)
        front = lax.slice_in_dim(d, 0, p, axis=axis)
        behind = lax.slice_in_dim(d, p + n, p + n + q, axis=axis)
        if beyond == "reflect":
            parts = (1, jnp.flip(front, axis)), (n - 1 - q, jnp.flip(behind, axis))
        elif beyond == "replicate":
            parts = (0, front.sum(axis, keepdims=True)), (n - 1, behind.sum(axis, keepdims=True))
        else:
            parts = ((n - p, front), (0, behind)) if beyond == "circular" else ()
        d = inside
        for start, part in parts:
            d = d + placed(part, axis, start, n - start - part.shape[axis])
    return d
