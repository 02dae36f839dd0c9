"""How a normalisation and its backward move, whatever its means run over.

    xhat = (x - m) s,   s = (v + eps)^-1/2,   dx = s (d - mean(d) - xhat mean(d xhat))

with m and v means of x and of (x - m)^2. Where x moves along vx, and d along rd,

    vxhat = s (vx - mean(vx) - xhat mean(vx xhat)),   vs = -s^2 mean(vx xhat)
    rdx = vs dx / s + s (rd - mean(rd) - vxhat mean(d xhat) - xhat mean(rd xhat + d vxhat))
"""

from collections.abc import Callable
from typing import Any

from jaxnn.core.types import Array

Mean = Callable[[Array], Array]


def pushed(xhat: Array, s: Array, vx: Array | None, mean: Mean) -> tuple[Any, Any]:
    """(vxhat, vs); None where x stays put."""
    if vx is None:
        return None, None
    along = mean(vx * xhat)
    return s * (vx - mean(vx) - xhat * along), -s * s * along


def bent(
    xhat: Array, s: Array, moved: tuple[Any, Any], d: Array, rd: Array, mean: Mean
) -> tuple[Array, Array]:
    """(dx, rdx), given what `pushed` gave."""
    vxhat, vs = moved
    along, ralong = mean(d * xhat), mean(rd * xhat)
    inner = d - mean(d) - xhat * along
    if vxhat is None:
        return s * inner, s * (rd - mean(rd) - xhat * ralong)
    ralong = ralong + mean(d * vxhat)
    return s * inner, vs * inner + s * (rd - mean(rd) - vxhat * along - xhat * ralong)
