"""What a factor is: what the gradient of a parameter is made of, before anyone contracts it.

Every gradient is a sum over the examples n of something linear in that example's error d[n]:

    dw = sum_n c[n] G(d[n])

A layer hands over a factor, which holds d and what else G needs, and leaves the contraction to the
reading. So a layer is written once for all readings, and a reading once for all layers. The errors
are each example's own, unweighted: the weights c of the examples in the objective (1/N for a mean)
enter only in `contract`.

A new kind of factor is one class with one method, `total`. One that is a `Terms` besides adds up
narrow terms with wide sums, as mixed precision wants it.
"""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.trees import cast, wide_dtype
from jaxnn.core.types import Array, ArrayLike, Dtype
from jaxnn.core.values import Pytree, static


def along_batch(c: ArrayLike, d: Array) -> Array:
    """c * d with c, a number or (batch,), laid along the first axis of d."""
    c = jnp.asarray(c, jnp.result_type(d))
    return c.reshape(c.shape + (1,) * (d.ndim - c.ndim)) * d if c.ndim else c * d


def positions(x: Array) -> Array:
    """x (batch, ..., n) as (batch, positions, n): the axes between are one."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])


class Factor(Pytree):
    """Base of all factors. A subclass has a field d, (batch, ...), and writes `total`."""

    def total(self, d: Array) -> Array:
        """sum_n G(d[n]), linear in d, shaped like the parameter."""
        raise NotImplementedError(f"write {type(self).__name__}.total(self, d)")

    def contract(self, c: ArrayLike = 1.0) -> Array:
        """sum_n c[n] G(d[n]), for c a number or (batch,).

        A number is multiplied in last, where XLA fuses it into the optimizer's update.
        """
        d: Array = getattr(self, "d")  # noqa: B009 - each subclass declares its own d
        if jnp.ndim(c):
            return self.total(along_batch(c, d))
        return along_batch(c, self.total(d))

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        """A tree of arrays with a row for each example, and what makes a factor of some rows.

        By default that is the factor itself: all its arrays have the batch as their first axis.
        """
        return self, lambda some: some

    def scaled(self, s: Array) -> "Factor":
        """The factor of s times the gradients, s a number."""
        return self.replace(d=along_batch(s, getattr(self, "d")))  # noqa: B009

    def summed_in(self, dtype: Dtype) -> "Factor":
        """The factor with gradients of that dtype, added up in it: by default of converted terms,
        where a `Terms` leaves them as they are."""

        def change(node: Any) -> Any:
            inner = node is not self and isinstance(node, Factor)
            return node.summed_in(dtype) if inner else cast(node, dtype)

        others = lambda node: node is not self and isinstance(node, Factor)  # noqa: E731
        return jax.tree.map(change, self, is_leaf=others)

    def errors(self) -> tuple[Array, ...]:
        """d of each use of the parameter, (batch, ...); none where gradients are formed already."""
        return (getattr(self, "d"),)  # noqa: B009

    def size(self) -> int:
        """How many numbers one example takes while its gradient is formed: by default those of the
        gradient. A kind that forms something larger on the way says so."""
        return math.prod(jax.eval_shape(self.contract).shape)

    def transposed(self) -> "Factor":
        """The factor of w^T, where w was used in the place of that parameter: for one that is used
        again, transposed. Raises TypeError for a parameter that is no matrix."""
        shape = jax.eval_shape(self.contract).shape
        if len(shape) != 2:
            raise TypeError(
                f"{type(self).__name__}: expected the gradient of a matrix to transpose, got one "
                f"of shape {shape}; only a matrix can be used again transposed"
            )
        return Transposed(self)

    def each(self) -> Array:
        """G(d[n]) for each n, (batch, *shape of the parameter)."""
        arrays, build = self.rows()
        batches = jax.tree.map(lambda leaf: leaf[:, None], arrays)  # each example one of its own
        return jax.vmap(lambda one: build(one).contract())(batches)


class Terms(Factor):
    """A factor of terms that may be narrower than their sums: those are in `sums`, a dtype, and
    `unit` times the d are meant, where that would be lost in their dtype."""

    _: KW_ONLY
    unit: Any = None
    """A number that the gradients are multiplied with; None is 1."""
    sums: Any = static(default=None)
    """The dtype of the gradients; None is that of the terms."""

    def into(self, dtype: Dtype) -> Dtype:
        """The dtype in which terms of that dtype are added up: the wider of both."""
        given = jnp.dtype(dtype)
        wider = self.sums is not None and jnp.dtype(self.sums).itemsize > given.itemsize
        return jnp.dtype(self.sums) if wider else given

    def contract(self, c: ArrayLike = 1.0) -> Array:
        d: Array = getattr(self, "d")  # noqa: B009
        wide = self.into(d.dtype)
        c = c if self.unit is None else jnp.asarray(c, wide) * self.unit.astype(wide)
        if wide == d.dtype or not jnp.ndim(c):
            total = super().contract(c)
        else:  # c d has to be narrow again, and is largest where c is
            c = jnp.asarray(c, wide)
            top = jnp.abs(c).max()
            shares = c / jnp.where(top > 0, top, 1)
            total = top * self.total(along_batch(shares, d.astype(wide)).astype(d.dtype))
        return total if self.sums is None else total.astype(self.sums)

    def summed_in(self, dtype: Dtype) -> "Factor":
        return self.replace(sums=dtype)

    def scaled(self, s: Array) -> "Factor":
        d: Array = getattr(self, "d")  # noqa: B009
        if self.into(d.dtype) == d.dtype:
            return super().scaled(s)
        return self.replace(unit=s if self.unit is None else s * self.unit)

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        return self.replace(unit=None), lambda some: some.replace(unit=self.unit)

    def widened(self) -> "Factor":
        """The factor with terms as wide as its sums, and at least in float32."""

        def widen(leaf: Array) -> Any:
            return cast(leaf, self.into(wide_dtype(leaf)))

        terms = jax.tree.map(widen, self.replace(unit=None))
        return terms if self.unit is None else terms.scaled(self.unit)

    def errors(self) -> tuple[Array, ...]:
        wide = self if self.sums is None else self.widened()
        return (getattr(wide, "d"),)  # noqa: B009


class Changed(Factor):
    """Base of what is made, linearly, of the gradients of one `part`. A subclass has its other
    fields behind it, the same for all examples, and writes `contract`."""

    part: Factor

    def rows(self) -> tuple[Any, Callable[[Any], Any]]:
        arrays, build = self.part.rows()
        return arrays, lambda some: self.replace(part=build(some))

    def errors(self) -> tuple[Array, ...]:
        return self.part.errors()

    def size(self) -> int:
        return self.part.size()

    def scaled(self, s: Array) -> Factor:
        return self.replace(part=self.part.scaled(s))


class Transposed(Changed):
    """The gradient of `part`, transposed."""

    def contract(self, c: ArrayLike = 1.0) -> Array:
        return self.part.contract(c).T

    def transposed(self) -> Factor:
        return self.part
