"""Windows that slide over the inner axes of x (batch, *sizes, channels).

With a window of k, a stride s and a dilation d, position i of y sees the entries

    x[s i + d u - p],   u = 0 .. k - 1

p the padding in front. So of n entries, padded by p in front and q behind, there are

    m = (n + p + q - (d (k - 1) + 1)) // s + 1

positions. A convolution, its transpose and every pool share this.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple


class Windows(NamedTuple):
    """The windows over all inner axes, one entry for each; it is structure, no arrays."""

    sizes: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """How many entries a window spans, its holes included."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.window, strict=True))

    @property
    def places(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        along = zip(self.sizes, self.pads, self.extents, self.stride, strict=True)
        return tuple((n + p + q - e) // s + 1 for n, (p, q), e, s in along)

    @property
    def rest(self) -> tuple[int, ...]:
        """How many entries at the far end, padding included, no window reaches."""
        along = zip(self.sizes, self.pads, self.extents, self.stride, strict=True)
        return tuple((n + p + q - e) % s for n, (p, q), e, s in along)

    def offsets(self) -> Iterator[tuple[int, ...]]:
        """The entries of a window, u for each axis, the last axis fastest."""
        return itertools.product(*map(range, self.window))

    def seen(self, offset: tuple[int, ...]) -> tuple[slice, ...]:
        """Where a padded x holds that entry of all windows, an index behind the batch."""
        along = zip(offset, self.dilation, self.stride, self.places, strict=True)
        return (
            slice(None),
            *(slice(u * d, u * d + s * (m - 1) + 1, s) for u, d, s, m in along),
        )

    def padded(self) -> "Windows":
        """The same windows of an x that has been padded."""
        sizes = tuple(n + p + q for n, (p, q) in zip(self.sizes, self.pads, strict=True))
        return self._replace(sizes=sizes, pads=((0, 0),) * len(sizes))
