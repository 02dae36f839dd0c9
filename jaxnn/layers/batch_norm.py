"""Batch normalisation, and what is left of it at inference."""

from typing import Annotated, Any, Literal

import jax.numpy as jnp
from jax import lax

from jaxnn.core.factors import Scaled, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import ScaleShift
from jaxnn.core.ranges import NotNegative
from jaxnn.core.refusals import check_features, check_record, dtype_of
from jaxnn.core.trees import cast
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.norm import Normalisation, moved
from jaxnn.layers.normalising import Moments, Rule


class BatchNorm(Normalisation):
    """Every feature with mean 0 and variance 1 over the mini-batch, then scaled and shifted.

        y = scale xhat + shift,   xhat = (x - m) s,   s = (v + eps)^-1/2
        m = mean(x),   v = spread((x - m)^2),   spread(a) = (sum of a) / (rows - ddof)
        dx = scale s (dy - mean(dy) - xhat spread(dy xhat))
        dscale = sum dy xhat,     dshift = sum dy

    Shapes: x and y (batch, ..., n); `ScaleShift` of (n,) each, `()` without `learned`, when y is
    xhat. The sums, those in m, v and dx, run over all axes in front of the last: the rows. Place it
    before an activation to normalise the pre-activation, or after it for the output.

    The examples of a batch mix: per-example quantities do not exist. Residuals: x and the moments,
    in float32 at least. `observe` hands the moments to the training loop, the variance with the
    divisor rows - `statistics_ddof`; frozen, it is the `Rescale` with their averages. The unbiased
    variance at inference alone, as in `torch.nn.BatchNorm1d` and 2d, is `BatchNorm(eps=1e-5,
    statistics_ddof=1)`, whose scale is torch's weight and shift its bias.

    With eps = 0, a feature without variance is nan. Raises ValueError for fewer than two rows to
    take a mean over, and an x of fewer than two axes or of other features than the parameters;
    TypeError for an x that is not floating point.
    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    """

    learned: bool = True
    """Whether a scale and a shift are learned behind it."""
    eps: Annotated[float, NotNegative] = 1e-3
    """Added to the variance, inside the root."""
    ddof: Literal[0, 1] = 0
    """What is taken off the rows in the divisor of v: 0, biased, or 1, unbiased."""
    statistics_ddof: Literal[0, 1] | None = None
    """The same for the variance that inference will use; unset: `ddof`."""
    mixes_examples = True
    mixes_positions = True

    def rule(self, x: Tree) -> Rule:
        if x.size <= x.shape[-1]:
            raise ValueError(
                f"{self!r}: expected two or more rows to take a mean over, got x of shape "
                f"{x.shape}; choose a batch size that leaves no single example over"
            )
        axes, learned = tuple(range(x.ndim - 1)), self.learned
        return Rule(axes, self.eps, learned, learned, ddof=self.ddof)

    def init(self, key: Key, x: Tree) -> Params:
        return Rescale().init(key, x) if self.learned else ()

    def observe(self, residuals: Tree) -> Moments:
        x, (m, v) = residuals
        n = x.size // x.shape[-1]
        wanted = self.ddof if self.statistics_ddof is None else self.statistics_ddof
        v = v if wanted == self.ddof else v * ((n - self.ddof) / (n - wanted))
        return Moments(m.reshape(-1), v.reshape(-1))

    def freeze(self, params: Params, statistics: Moments | None) -> tuple[Layer, Any]:
        if statistics is None:
            raise ValueError(
                f"{self!r}: expected statistics to freeze it with, got None; pass "
                "state.statistics of a training, or average_statistics(net, params, x)"
            )
        s = lax.rsqrt(statistics.variance + self.eps)
        if not self.learned:
            return Rescale(), ScaleShift(s, -statistics.mean * s)
        scale, shift = (p.astype(s.dtype) for p in params)
        found = ScaleShift(scale * s, shift - statistics.mean * (scale * s))
        return Rescale(), cast(found, params.scale.dtype)


class Rescale(Layer):
    """y = scale x + shift, dx = scale dy, dscale = sum x dy, dshift = sum dy. Residuals: x.

    Shapes: x and y (batch, ..., n), scale and shift (n,), at first 1 and 0. What a `BatchNorm`
    becomes when it is frozen. Raises as `Dense` does.
    """

    curved = False

    def init(self, key: Key, x: Tree) -> ScaleShift:
        check_features(self, x)
        n, dtype = x.shape[-1], dtype_of(x)
        return ScaleShift(jnp.ones(n, dtype), jnp.zeros(n, dtype))

    def forward(self, params: ScaleShift, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_record(self, params, ScaleShift)
        check_features(self, x)
        return params.scale * x + params.shift, x

    def backward(
        self, params: ScaleShift, residuals: Tree, dy: Tree, read: Read
    ) -> tuple[Tree, Tree]:
        x = residuals
        return params.scale * dy, ScaleShift(read(Scaled(x, dy)), read(Sum(dy)))

    def push(
        self, params: ScaleShift, residuals: Tree, vparams: ScaleShift, vx: Tree
    ) -> tuple[Tree, Tree]:
        x = residuals
        vy = vparams.scale * x + vparams.shift
        return (vy if vx is None else vy + params.scale * vx), (vparams.scale, vx)

    def bend(
        self, params: ScaleShift, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        x, (vscale, vx) = residuals, tangents
        readings = ScaleShift(read(moved(x, vx, dy, rdy)), read(Sum(rdy)))
        return params.scale * dy, params.scale * rdy + vscale * dy, readings
