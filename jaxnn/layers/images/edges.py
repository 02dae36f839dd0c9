"""What lies beyond the edges of x, where that is not zeros.

    circular   x goes on at its other end
    reflect    x goes back from its edge, which is not repeated

Each entry out there is a copy of one inside, so on the way back its error goes to that one.
"""

from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from jaxnn.core.types import Array

Beyond = Literal["zeros", "circular", "reflect"]
Pads = tuple[tuple[int, int], ...]
_MODES = {"circular": "wrap", "reflect": "reflect"}


def extended(x: Array, pads: Pads, beyond: Beyond) -> Any:
    """x (batch, *sizes, channels) with p entries in front and q behind each inner axis."""
    pairs = ((0, 0), *pads, (0, 0))
    return jnp.pad(x, pairs) if beyond == "zeros" else jnp.pad(x, pairs, _MODES[beyond])


def folded(d: Array, pads: Pads, beyond: Beyond) -> Any:
    """The transpose of `extended`: the errors inside, those of the copies added to them."""
    for axis, (p, q) in enumerate(pads, start=1):
        n = d.shape[axis] - p - q
        d = jnp.moveaxis(d, axis, 0)
        inside = d[p : p + n]
        if beyond != "zeros":
            source = np.pad(np.arange(n), (p, q), _MODES[beyond])  # pyright: ignore
            for place in (*range(p), *range(p + n, p + n + q)):
                inside = inside.at[source[place]].add(d[place])
        d = jnp.moveaxis(inside, 0, axis)
    return d
