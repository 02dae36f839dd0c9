"""Normalisation of each example over positions: in groups of channels, or of single channels."""

from typing import Annotated

from jaxnn.core.ranges import Count, NotNegative
from jaxnn.core.types import Tree
from jaxnn.layers.norm import Normalisation, channels_first
from jaxnn.layers.normalising import Rule


class GroupNorm(Normalisation):
    """Every group of channels of an example with mean 0 and variance 1, then scaled and shifted.

        y = scale xhat + shift,   xhat = (x - m) s,   s = (v + eps)^-1/2
        dx = s (d - mean(d) - xhat mean(d xhat)),   d = scale dy
        dscale = sum dy xhat,     dshift = sum dy

    Shapes: x and y (batch, ..., n), channels last; parameters as for `LayerNorm`, (n,) each, one
    number a channel. A group is n / groups channels in a row, and the means, m, v (biased) and
    those of dx, run over its channels at all positions of an example. Where there are no positions,
    x (batch, n), one group makes it a `LayerNorm`. Residuals: x, m and v, in float32 at least. On a
    CPU, backward takes a large x some examples at a time.

    Raises ValueError for groups that do not divide the channels, else as `LayerNorm` does.
    `torch.nn.GroupNorm(groups, n)` is this with the channels first: weight is the scale, bias the
    shift. Source: Wu and He 2018, eqs. 1 to 7.
    """

    groups: Annotated[int, Count]
    """How many groups of channels; it divides them."""
    eps: Annotated[float, NotNegative] = 1e-5
    """Added to the variance, inside the root."""
    scale: bool = True
    """Whether a scale is learned behind it."""
    shift: bool = True
    """Whether a shift is learned behind it."""
    part: Annotated[int, Count] = 32_768
    """Numbers of x that backward takes at a time, where x has at least four times as many."""
    mixes_positions = True

    def rule(self, x: Tree) -> Rule:
        n = x.shape[-1]
        if n % self.groups:
            fitting = ", ".join(str(k) for k in range(1, n + 1) if n % k == 0)
            raise ValueError(
                f"{self!r}: expected groups that divide the {n} channels of x, got x of shape "
                f"{x.shape}; choose one of {fitting}"
                f"{channels_first(x, x.shape[1] % self.groups == 0)}"
            )
        axes, learned = (*range(1, x.ndim - 1), -1), (self.scale, self.shift)
        return Rule(axes, self.eps, *learned, groups=self.groups, part=self.part)


class InstanceNorm(Normalisation):
    """Every channel of an example with mean 0 and variance 1, then scaled and shifted.

    `GroupNorm` with a group for each channel: means run over the positions of an example, of which
    x (batch, ..., n) has at least one axis. A scale and a shift are learned, as in Flax. PyTorch
    learns neither unless asked to: `torch.nn.InstanceNorm2d(n)` is `InstanceNorm(scale=False,
    shift=False)`, and with `affine=True` it is this, weight the scale and bias the shift.

    Raises ValueError for an x without axes between the batch and the channels, or with a single
    position, where xhat would be 0; else as `LayerNorm` does.
    Source: Ulyanov, Vedaldi and Lempitsky 2016, section 2.
    """

    eps: Annotated[float, NotNegative] = 1e-5
    """Added to the variance, inside the root."""
    scale: bool = True
    """Whether a scale is learned behind it."""
    shift: bool = True
    """Whether a shift is learned behind it."""
    mixes_positions = True

    def rule(self, x: Tree) -> Rule:
        if x.size <= x.shape[0] * x.shape[-1]:
            raise ValueError(
                f"{self!r}: expected x (batch, ..., channels) with two or more positions between "
                f"to take a mean over, got shape {x.shape}; take LayerNorm() where there are none"
            )
        return Rule(tuple(range(1, x.ndim - 1)), self.eps, self.scale, self.shift)
