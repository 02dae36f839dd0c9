"""How a normalisation and its backward move, whatever its means run over.

    xhat = (x - m) s,   s = (v + eps)^-1/2
    m = mean(x),   v = spread((x - m)^2),   spread(a) = (sum of a) / (n - ddof) over the same axes
    dx = s (d - mean(d) - xhat spread(d xhat))

Where x is not centred, m and all that stands for a mean is 0. Where x moves along vx, d along rd:

    vxhat = s (vx - mean(vx) - xhat spread(vx xhat)),   vs = -s^2 spread(vx xhat)
    rdx = vs dx / s + s (rd - mean(rd) - vxhat spread(d xhat) - xhat spread(rd xhat + d vxhat))
"""

import math
from typing import Any, NamedTuple

from jax import lax

from jaxnn.core.types import Array


class Moments(NamedTuple):
    """Mean and variance over the axes of a rule, None for a mean that is not subtracted; as
    statistics of a batch-norm both (n,)."""

    mean: Any
    variance: Any


class Rule(NamedTuple):
    """What one normalisation says of itself for an x: what is learned, and where means run.

    `axes` count from the end or the start of x, its last axis split in `groups` if there are any.
    """

    axes: tuple[int, ...]
    eps: float
    scale: bool = True
    shift: bool = True
    centred: bool = True
    ddof: int = 0
    groups: int | None = None
    part: int | None = None

    def split(self, a: Array) -> Array:
        """(..., n) as (..., groups, n / groups)."""
        return a if self.groups is None else a.reshape(*a.shape[:-1], self.groups, -1)

    def mean(self, a: Array) -> Array | float:
        """The mean over the axes; 0 where x is not centred."""
        return a.mean(self.axes, keepdims=True) if self.centred else 0.0

    def spread(self, a: Array) -> Array:
        """The mean with the divisor of the variance."""
        n = math.prod(a.shape[axis] for axis in self.axes)
        return a.sum(self.axes, keepdims=True) / (n - self.ddof)

    def moments(self, x: Array) -> Moments:
        """m and v of a wide x that is split."""
        m = self.mean(x)
        centred = x - m
        return Moments(m if self.centred else None, self.spread(centred * centred))

    def standardised(self, x: Array, moments: Moments) -> tuple[Array, Array]:
        """(xhat, s), split, as wide as the moments."""
        wide = self.split(x.astype(moments.variance.dtype))
        s = lax.rsqrt(moments.variance + self.eps)
        return (wide if moments.mean is None else wide - moments.mean) * s, s

    def pulled(self, xhat: Array, s: Array, d: Array) -> Array:
        """dx, given d; s may have factors in it that are the same along the axes."""
        # constants first: what is left are two passes over x and d
        along = s * self.spread(xhat * d)
        return s * (d - self.mean(d)) - xhat * along

    @property
    def apart(self) -> bool:
        """Whether the scale is the same along the axes, so that it can stay outside of the means,
        which then are those of the learned parameters' gradients: computed once."""
        return self.groups is None and -1 not in self.axes


def pushed(rule: Rule, xhat: Array, s: Array, vx: Array | None) -> tuple[Any, Any]:
    """(vxhat, vs); None where x stays put."""
    if vx is None:
        return None, None
    along = rule.spread(vx * xhat)
    return s * (vx - rule.mean(vx) - xhat * along), -s * s * along


def bent(
    rule: Rule, xhat: Array, s: Array, moved: tuple[Any, Any], d: Array, rd: Array
) -> tuple[Array, Array]:
    """(dx, rdx), given what `pushed` gave."""
    vxhat, vs = moved
    along, ralong = rule.spread(d * xhat), rule.spread(rd * xhat)
    inner = d - rule.mean(d) - xhat * along
    if vxhat is None:
        return s * inner, s * (rd - rule.mean(rd) - xhat * ralong)
    ralong = ralong + rule.spread(d * vxhat)
    return s * inner, vs * inner + s * (rd - rule.mean(rd) - vxhat * along - xhat * ralong)
