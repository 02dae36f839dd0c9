"""Batch normalisation, and what is left of it at inference."""

from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from jaxnn.core.composed import Tied
from jaxnn.core.factors import Factor, Scaled, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import ScaleShift
from jaxnn.core.ranges import Positive
from jaxnn.core.refusals import check_features, check_record, dtype_of
from jaxnn.core.trees import cast, wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.normalising import bent, pushed


class Moments(NamedTuple):
    """Mean and biased variance of every feature, both (n,)."""

    mean: Any
    variance: Any


class BatchNorm(Layer):
    """Every feature with mean 0 and variance 1 over the mini-batch, then scaled and shifted.

        y = scale xhat + shift,   xhat = (x - m) s,   s = (v + eps)^-1/2
        dx = scale s (dy - mean(dy) - xhat mean(dy xhat))
        dscale = sum dy xhat,     dshift = sum dy

    Shapes: x and y (batch, ..., n); `ScaleShift` of (n,) each, `()` without `learned`, when y is
    xhat. The means m, v (biased) and those of dx run over all axes in front of the last. Place it
    before an activation to normalise the pre-activation, or after it for the output.

    The examples of a batch mix: per-example quantities do not exist. Residuals: xhat, s and the
    moments, which `observe` hands to the training loop. Where x is narrower than float32, all but
    xhat and y is in float32. Frozen, it is the `Rescale` with m and v of the statistics. Raises
    ValueError for fewer than two rows to take a mean over, and an x of fewer than two axes;
    TypeError for an x that is not floating point.
    Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
    """

    learned: bool = True
    """Whether a scale and a shift are learned behind it."""
    eps: Annotated[float, Positive] = 1e-3
    """Added to the variance, inside the root."""
    mixes_examples = True
    mixes_positions = True

    def init(self, key: Key, x: Tree) -> Params:
        return Rescale().init(key, x) if self.learned else ()

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        if self.learned:
            check_record(self, params, ScaleShift)
        check_features(self, x)
        rows = tuple(range(x.ndim - 1))
        if x.size <= x.shape[-1]:
            raise ValueError(
                f"{self!r}: expected two or more rows to take a mean over, got x of shape "
                f"{x.shape}; choose a batch size that leaves no single example over"
            )
        x = jnp.asarray(x)
        wide = x.astype(wide_dtype(x))
        m = wide.mean(rows)
        centred = wide - m
        v = (centred * centred).mean(rows)
        s = lax.rsqrt(v + self.eps)
        xhat = (centred * s).astype(x.dtype)
        y = params.scale * xhat + params.shift if self.learned else xhat
        return y, (xhat, s, Moments(m, v))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        xhat, s, _ = residuals
        rows, n = tuple(range(dy.ndim - 1)), dy.size // dy.shape[-1]
        gain = params.scale.astype(s.dtype) * s if self.learned else s
        x, d = xhat.astype(s.dtype), dy.astype(s.dtype)
        # these sums are dshift and dscale: computed once, and xhat need not be stored for them
        dx = (gain * (d - d.sum(rows) / n - x * ((x * d).sum(rows) / n))).astype(dy.dtype)
        return dx, ScaleShift(read(Scaled(xhat, dy)), read(Sum(dy))) if self.learned else ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        xhat, s, _ = residuals
        x = xhat.astype(s.dtype)
        vxhat, vs = pushed(x, s, None if vx is None else vx.astype(s.dtype), _over_rows)
        vy = vxhat
        vscale = None
        if self.learned:
            (scale, _), (vscale, vshift) = cast((params, vparams), s.dtype)
            vy = vscale * x + vshift
            vy = vy if vxhat is None else vy + scale * vxhat
        return None if vy is None else vy.astype(xhat.dtype), (vxhat, vs, vscale)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        (xhat, s, _), (vxhat, vs, vscale) = residuals, tangents
        x, d, rd = (a.astype(s.dtype) for a in (xhat, dy, rdy))
        readings = ()
        if self.learned:
            readings = ScaleShift(read(_moved(x, vxhat, d, rd)), read(Sum(rdy)))
            scale = params.scale.astype(s.dtype)
            d, rd = scale * d, scale * rd + vscale * d
        dx, rdx = bent(x, s, (vxhat, vs), d, rd, _over_rows)
        return dx.astype(dy.dtype), rdx.astype(dy.dtype), readings

    def observe(self, residuals: Tree) -> Moments:
        return residuals[2]

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
        readings = ScaleShift(read(_moved(x, vx, dy, rdy)), read(Sum(rdy)))
        return params.scale * dy, params.scale * rdy + vscale * dy, readings


def _over_rows(x: Array) -> Array:
    return x.mean(tuple(range(x.ndim - 1)))


def _moved(x: Array, vx: Array | None, dy: Array, rdy: Array) -> Factor:
    """The tangent of `Scaled(x, dy)`."""
    if vx is None:
        return Scaled(x, rdy)
    return Tied((Scaled(x, rdy), Scaled(vx, dy)))
