"""Factors: what the gradient of a parameter is made of, before anyone contracts it.

Every gradient is a sum over the examples n of something linear in that example's error d[n]:

    dw = sum_n c[n] G(d[n])

A layer hands over a factor, which holds d and what else G needs, and leaves the contraction to the
reading. So a layer is written once for all readings, and a reading once for all layers. The errors
are each example's own, unweighted: the weights c of the examples in the objective (1/N for a mean)
enter only in `contract`.

A new kind of factor is one class here with one method, `total`.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxnn.values import Pytree, static


def along_batch(c: Any, d: Array) -> Array:
    """c * d with c, a number or (batch,), laid along the first axis of d."""
    c = jnp.asarray(c, d.dtype)
    return c.reshape(c.shape + (1,) * (d.ndim - c.ndim)) * d if c.ndim else c * d


class Factor(Pytree):
    """Base of all factors. A subclass has a field d, (batch, ...), and writes `total`."""

    def total(self, d: Any) -> Array:
        """sum_n G(d[n]), linear in d, shaped like the parameter."""
        raise NotImplementedError(f"write {type(self).__name__}.total(self, d)")

    def contract(self, c: Any = 1.0) -> Array:
        """sum_n c[n] G(d[n]), for c a number or (batch,).

        A number is multiplied in last, where XLA fuses it into the optimizer's update.
        """
        d: Array = getattr(self, "d")  # noqa: B009 - each subclass declares its own d
        if jnp.ndim(c):
            return self.total(along_batch(c, d))
        return along_batch(c, self.total(d))

    def each(self) -> Array:
        """G(d[n]) for each n, (batch, *shape of the parameter)."""
        rows = jax.tree.map(lambda leaf: leaf[:, None], self)  # every example a batch of its own
        return jax.vmap(lambda row: row.contract())(rows)


class Outer(Factor):
    """dw = sum a (x) d over the batch and all inner axes: the weight of an affine map.

    a (*batch, n_in), d (*batch, n_out); dw (n_in, n_out), or (n_out, n_in) if `transpose`.
    """

    a: Any
    d: Any
    transpose: bool = static(default=False)

    def total(self, d: Any) -> Array:
        left, right = (d, self.a) if self.transpose else (self.a, d)
        every = tuple(range(d.ndim - 1))
        return jnp.tensordot(left, right, (every, every))


class Sum(Factor):
    """db = sum of d over all axes in front of the parameter's own `rank`: biases and shifts."""

    d: Any
    rank: int = static(default=1)

    def total(self, d: Any) -> Array:
        return d.sum(tuple(range(d.ndim - self.rank)))


class Scaled(Factor):
    """dscale = sum of x * d over all axes in front of the parameter's own `rank`: scales."""

    x: Any
    d: Any
    rank: int = static(default=1)

    def total(self, d: Any) -> Array:
        return (self.x * d).sum(tuple(range(d.ndim - self.rank)))


class Rows(Factor):
    """drows = scatter-add of d into the rows that were looked up: embeddings.

    ids (*batch,), d (*batch, width); drows (n, width). An id met k times gets k terms.
    """

    ids: Any
    d: Any
    n: int = static()

    def total(self, d: Any) -> Array:
        rows = d.reshape(math.prod(d.shape[:-1]), d.shape[-1])
        table = jnp.zeros((self.n, d.shape[-1]), d.dtype).at[self.ids.reshape(-1)]
        return table.add(rows, mode="drop", wrap_negative_indices=False)


class Masked(Factor):
    """The gradient of `part`, entry by entry times `mask`: a parameter used as mask * w.

    mask is shaped like the parameter and the same for all examples.
    """

    part: Factor
    mask: Any

    def contract(self, c: Any = 1.0) -> Array:
        return self.mask * self.part.contract(c)

    def each(self) -> Array:
        return self.mask * self.part.each()


class Tied(Factor):
    """The sum of several factors: one parameter that is used in several places."""

    parts: tuple[Factor, ...]

    def contract(self, c: Any = 1.0) -> Array:
        first, *others = (part.contract(c) for part in self.parts)
        return sum(others, start=first)

    def each(self) -> Array:
        first, *others = (part.each() for part in self.parts)
        return sum(others, start=first)
