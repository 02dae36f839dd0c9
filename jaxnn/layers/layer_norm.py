"""Normalisation of each position over its features: layer-norm, and without the mean, RMS-norm."""

from typing import Annotated

from jaxnn.core.ranges import Count, NotNegative
from jaxnn.core.types import Tree
from jaxnn.layers.norm import Normalisation
from jaxnn.layers.normalising import Rule


class LayerNorm(Normalisation):
    """The features of every position with mean 0 and variance 1, then scaled and shifted.

        y = scale xhat + shift,   xhat = (x - m) s,   s = (v + eps)^-1/2
        dx = s (d - mean(d) - xhat mean(d xhat)),   d = scale dy
        dscale = sum dy xhat,     dshift = sum dy

    Shapes: x and y (batch, ..., n); `ScaleShift` of (n,) each, None for one that is not learned,
    `()` without both. The means, m, v (biased) and those of dx, run over the last axis alone.
    Residuals: x, m and v, in float32 at least, and xhat is computed again: x is often kept by
    others too. On a CPU, backward takes a large x part by part, and sums of gradients with it.

    With eps = 0, a position of equal features is nan. Raises ValueError for an x of fewer than two
    axes or of other features than the parameters, TypeError for one that is not floating point.
    `torch.nn.LayerNorm(n)` is this, its weight the scale and its bias the shift.
    Source: Ba, Kiros and Hinton 2016, eq. 4.
    """

    eps: Annotated[float, NotNegative] = 1e-5
    """Added to the variance, inside the root."""
    scale: bool = True
    """Whether a scale is learned behind it."""
    shift: bool = True
    """Whether a shift is learned behind it."""
    part: Annotated[int, Count] = 32_768
    """Numbers of x that backward takes at a time, where x has at least four times as many."""

    def rule(self, x: Tree) -> Rule:
        return Rule((-1,), self.eps, self.scale, self.shift, part=self.part)


class RMSNorm(Normalisation):
    """The features of every position with mean square 1, then scaled.

        y = scale xhat,   xhat = x s,   s = (mean(x^2) + eps)^-1/2
        dx = s (d - xhat mean(d xhat)),   d = scale dy,   dscale = sum dy xhat

    As `LayerNorm`, but nothing is subtracted. By default there is a scale and no shift, as in
    PyTorch, Flax and Keras: parameters `ScaleShift(scale, None)`; with `shift=True` one is added.
    Residuals: x and mean(x^2). `torch.nn.RMSNorm(n, eps)` is this; its own default for eps is
    1.2e-7 in float32. Source: Zhang and Sennrich 2019, eq. 4.
    """

    eps: Annotated[float, NotNegative] = 1e-5
    """Added to the mean square, inside the root."""
    scale: bool = True
    """Whether a scale is learned behind it."""
    shift: bool = False
    """Whether a shift is learned behind it."""
    part: Annotated[int, Count] = 32_768
    """Numbers of x that backward takes at a time, where x has at least four times as many."""

    def rule(self, x: Tree) -> Rule:
        return Rule((-1,), self.eps, self.scale, self.shift, centred=False, part=self.part)
