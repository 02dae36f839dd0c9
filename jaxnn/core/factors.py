"""The kinds of factor: of affine maps, shifts, scales, tables, and of gradients formed already."""

import math
from typing import Any

import jax.numpy as jnp

from jaxnn.core.factor import (
    Changed as Changed,
    Factor as Factor,
    Terms as Terms,
    Transposed as Transposed,
    along_batch as along_batch,
    positions as positions,
)
from jaxnn.core.types import Array
from jaxnn.core.values import static


class Outer(Terms):
    """dw = sum a (x) d over the batch and all inner axes: the weight of an affine map.

    a (*batch, n_in), d (*batch, n_out); dw (n_in, n_out), or (n_out, n_in) if `transpose`.
    """

    a: Any
    d: Any
    transpose: bool = static(default=False)

    def total(self, d: Array) -> Array:
        left, right = (d, self.a) if self.transpose else (self.a, d)
        every, wide = tuple(range(d.ndim - 1)), self.into(d.dtype)
        if wide.itemsize > 4:  # no device adds up narrow products in float64
            left, right = left.astype(wide), right.astype(wide)
        return jnp.tensordot(left, right, (every, every), preferred_element_type=wide)

    def transposed(self) -> "Outer":
        return self.replace(transpose=not self.transpose)

    def sides(self) -> tuple[Array, Array]:
        """What goes along the rows and the columns of dw, (batch, positions, n) each."""
        a, d = positions(self.a), positions(self.d)
        return (d, a) if self.transpose else (a, d)


class Sum(Terms):
    """db = sum of d over all axes in front of the parameter's own `rank`: biases and shifts."""

    d: Any
    rank: int = static(default=1)

    def total(self, d: Array) -> Array:
        return d.sum(tuple(range(d.ndim - self.rank)), dtype=self.into(d.dtype))


class Scaled(Terms):
    """dscale = sum of x * d over all axes in front of the parameter's own `rank`: scales."""

    x: Any
    d: Any
    rank: int = static(default=1)

    def total(self, d: Array) -> Array:
        wide = self.into(d.dtype)
        return (self.x.astype(wide) * d.astype(wide)).sum(tuple(range(d.ndim - self.rank)))


class Rows(Terms):
    """drows = scatter-add of d into the rows that were looked up: embeddings.

    ids (*batch,), d (*batch, width); drows (n, width). An id met k times gets k terms.
    """

    ids: Any
    d: Any
    n: int = static()

    def total(self, d: Array) -> Array:
        rows = d.reshape(math.prod(d.shape[:-1]), d.shape[-1]).astype(self.into(d.dtype))
        table = jnp.zeros((self.n, d.shape[-1]), rows.dtype).at[self.ids.reshape(-1)]
        return table.add(rows, mode="drop", wrap_negative_indices=False)

    def distinct(self) -> tuple[Array, Array]:
        """(sums, share): for each position the sum of d over all positions of that example with
        the same id, (batch, positions, width), and 1 / (how many these are), (batch, positions).

        So sum_t share f(sums) is the sum of f over the rows that the example touched. An id that
        has no row has share 0. Costs positions^2 width for each example.
        """
        ids = positions(self.ids[..., None])[..., 0]
        same = (ids[:, :, None] == ids[:, None, :]).astype(self.d.dtype)
        share = ((ids >= 0) & (ids < self.n)).astype(self.d.dtype) / same.sum(-1)
        return jnp.matmul(same, positions(self.d), precision="highest"), share


class Formed(Terms):
    """Gradients of the examples that are formed already: G(d[n]) = d[n]."""

    d: Any

    def total(self, d: Array) -> Array:
        return d.sum(0, dtype=self.into(d.dtype))

    def errors(self) -> tuple[Array, ...]:
        return ()
