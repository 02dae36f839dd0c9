"""The factors of weights that windows share, and of those they have each for themselves."""

import math
from typing import Any

import jax.numpy as jnp

from jaxnn.core.convolutions import convolve, correlate, patches, spread, swapped
from jaxnn.core.factors import Outer, Terms, positions
from jaxnn.core.types import Array
from jaxnn.core.values import static
from jaxnn.core.windows import Windows


class ConvOuter(Terms):
    """dw = sum of patches of x (x) d over the batch and all places, patches that nobody forms.

    x (batch, *sizes, n_in), d (batch, *places, n_out); dw (*window, n_in / groups, n_out). If
    `transpose`, the windows lie over d, as in a transposed convolution: x (batch, *places, n_in),
    d (batch, *sizes, n_out), and w is used as the kernel of the way back.
    """

    x: Any
    d: Any
    laid: Windows = static()
    groups: int = static(default=1)
    transpose: bool = static(default=False)

    def total(self, d: Array) -> Array:
        wide = self.into(d.dtype)
        x = self.x
        if wide.itemsize > 4:  # no device adds up narrow products in float64
            x, d = x.astype(wide), d.astype(wide)
        if not self.transpose:
            return correlate(x, d, self.laid, self.groups, wide)
        return swapped(correlate(d, x, self.laid, self.groups, wide), self.groups)

    def size(self) -> int:
        """The patches, which readings of single examples form, beside the gradient."""
        image = self.d if self.transpose else self.x
        entries = math.prod(self.laid.window) * image.shape[-1]
        return math.prod(self.laid.places) * entries + self.gradient_size()

    def each(self) -> Array:
        image, d = (self.d, self.x) if self.transpose else (self.x, self.d)
        seen, d, groups = patches(image, self.laid), positions(d), self.groups
        seen = seen.reshape(*d.shape[:2], seen.shape[-2], groups, -1)
        d = d.reshape(*d.shape[:2], groups, -1)
        wide = self.into(d.dtype)
        found = jnp.einsum(
            "ntkgc,ntgo->nkcgo", seen, d, precision="highest", preferred_element_type=wide
        )
        found = found.reshape(len(d), *self.laid.window, found.shape[2], -1)
        found = swapped(found, groups) if self.transpose else found
        found = found if self.unit is None else found * self.unit.astype(wide)
        return found if self.sums is None else found.astype(self.sums)

    def along(self, v: Array) -> Array:
        """<G(d[n]), v> for each n, by one more forward sweep."""
        if self.transpose:
            moved = spread(self.x, swapped(v, self.groups), self.laid, self.groups)
        else:
            moved = convolve(self.x, v, self.laid, self.groups)
        return (moved * self.d).sum(tuple(range(1, moved.ndim)))

    @property
    def folds(self) -> bool:
        """Whether it is one affine map of patches: not with groups, which are a map each, and not
        if `transpose`, where a patch of d meets an entry of x."""
        return self.groups == 1 and not self.transpose

    def unfolded(self) -> Outer:
        """That map, whose dw is the gradient with the window and the inputs as one axis."""
        seen = patches(self.x, self.laid)
        return Outer(seen.reshape(*seen.shape[:-2], -1), self.d, unit=self.unit, sums=self.sums)

    def gradient_size(self) -> int:
        """Numbers in the gradient."""
        n_in = self.x.shape[-1] // self.groups
        return math.prod(self.laid.window) * n_in * self.d.shape[-1]


class LocalOuter(Terms):
    """dw[i] = sum over the batch of a[n, i] (x) d[n, i]: a weight for each place i.

    a (batch, *places, n_in), d (batch, *places, n_out); dw (*places, n_in, n_out).
    """

    a: Any
    d: Any

    def total(self, d: Array) -> Array:
        wide, a = self.into(d.dtype), self.a
        if wide.itemsize > 4:
            a, d = a.astype(wide), d.astype(wide)
        return jnp.einsum("n...k,n...o->...ko", a, d, preferred_element_type=wide)
