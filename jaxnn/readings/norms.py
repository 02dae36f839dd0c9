"""The squared norm of each example's gradient, without forming it."""

import math
from functools import singledispatch
from typing import Any, Literal

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Across, Along, Masked, Stacked, Tied
from jaxnn.core.conv_outer import ConvOuter, LocalOuter
from jaxnn.core.factors import Factor, Outer, Rows
from jaxnn.core.trees import wide
from jaxnn.core.types import Array, ArrayLike
from jaxnn.core.values import static
from jaxnn.readings.blocks import map_blocks
from jaxnn.readings.products import HIGHEST, paired
from jaxnn.readings.reading import Reading

Form = Literal["auto", "gram", "each"]


class SquaredNorms(Reading, name="squared_norms"):
    """|g_n|^2 for each n and parameter, (batch,), g_n = dl_n/dw of the unweighted l_n.

        Outer, one position   |a_n|^2 |d_n|^2
        Outer, T positions    <A A^T, D D^T>  ("gram") or |A^T D|^2  ("each")
        ConvOuter             the same, A the patches at its T places
        LocalOuter            sum_i |a_ni|^2 |d_ni|^2
        Rows                  the sum over the distinct ids of |sum of their d|^2
        Tied                  sum_i |G_i|^2 + 2 sum_(i<j) <G_i, G_j>
        Stacked               the sum over the layers

    `total` adds the parameters up: the squared norms of whole gradients. Other factors form their
    gradients, a block of examples at a time. "auto" takes the Gram form of an Outer where
    2 T^2 < in out. Where the terms of a gradient nearly cancel, over positions or over the places
    of a tied parameter, that form is the difference of large numbers: wrong by percents in float32,
    though never negative. `SquaredNorms("each")` forms the gradients of every parameter, which
    keeps the digits. In float32 at least. Micro-batches are concatenated.
    Raises ValueError for another form. Source: Goodfellow 2015; Li et al. 2022, eq. 2.6.
    """

    form: Form = static(default="auto")
    per_example = True
    concatenates = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return norms(wide(factor), self.form)

    def layers(self, found: Array) -> Array:
        return found.sum(0)


def norms(factor: Factor, form: Form = "auto") -> Any:
    """|G(d[n])|^2 for each n, (batch,)."""
    return _formed(factor) if form == "each" else _norms(factor, form)


def _formed(factor: Factor) -> Any:
    return map_blocks(lambda each: (each * each).sum(tuple(range(1, each.ndim))), factor)


@singledispatch
def _norms(factor: Factor, form: Form) -> Any:
    del form
    return _formed(factor)


@_norms.register
def _outer(factor: Outer, form: Form) -> Any:
    a, d = factor.sides()
    if a.shape[1] == 1:
        return (a * a).sum((1, 2)) * (d * d).sum((1, 2))
    if form == "auto" and _forming_pays(a.shape[1], a.shape[2] * d.shape[2]):
        return _formed(factor)
    inputs = jnp.matmul(a, a.swapaxes(1, 2), precision=HIGHEST)
    errors = jnp.matmul(d, d.swapaxes(1, 2), precision=HIGHEST)
    return jnp.maximum((inputs * errors).sum((1, 2)), 0)


@_norms.register
def _convolved(factor: ConvOuter, form: Form) -> Any:
    many = _forming_pays(math.prod(factor.laid.places), factor.gradient_size())
    if not factor.folds or (form == "auto" and many):  # before all patches are there at once
        return _formed(factor)
    return _outer(factor.unfolded(), form)


def _forming_pays(n_positions: int, size: int) -> bool:
    """Whether a gradient is smaller than the two products of all positions with each other."""
    return 2 * n_positions**2 >= size


@_norms.register
def _local(factor: LocalOuter, form: Form) -> Any:
    a, d = factor.a, factor.d
    return ((a * a).sum(-1) * (d * d).sum(-1)).sum(tuple(range(1, d.ndim - 1)))


@_norms.register
def _rows(factor: Rows, form: Form) -> Any:
    sums, share = factor.distinct()
    return (share * (sums * sums).sum(2)).sum(1)


@_norms.register
def _masked(factor: Masked, form: Form) -> Any:
    sides, mask = _single(factor.part), factor.mask
    if sides is None:
        return _formed(factor)
    a, d = sides
    return (jnp.matmul(a * a, mask * mask, precision=HIGHEST) * (d * d)).sum(1)


@_norms.register
def _along(factor: Along, form: Form) -> Any:
    sides = _single(factor.part)
    if sides is None:
        return _formed(factor)
    a, d = sides
    return (jnp.matmul(a, factor.q, precision=HIGHEST) ** 2 * (d * d)).sum(1)


@_norms.register
def _across(factor: Across, form: Form) -> Any:
    sides = _single(factor.part)
    if sides is None or len(factor.pairs) != 1:
        return _formed(factor)
    (a, d), (p, q) = sides, factor.pairs[0]
    to_p, to_q = (jnp.matmul(a, one, precision=HIGHEST) for one in (p, q))
    own = factor.gain**2 * (a * a).sum(1, keepdims=True)
    left = own - 2 * factor.gain * to_p * to_q + (p * p).sum(0) * to_q**2
    return (jnp.maximum(left, 0) * (d * d)).sum(1)


def _single(part: Factor) -> tuple[Array, Array] | None:
    """The sides of an `Outer` with one position, (batch, n) each; None for any other factor."""
    if not (isinstance(part, Outer) and part.sides()[0].shape[1] == 1):
        return None
    a, d = part.sides()
    return a[:, 0], d[:, 0]


@_norms.register
def _tied(factor: Tied, form: Form) -> Any:
    parts = factor.parts
    own = sum(_norms(part, form) for part in parts)
    cross = sum(paired(f, g) for i, f in enumerate(parts) for g in parts[:i])
    return jnp.maximum(own + 2 * cross, 0)


@_norms.register
def _stacked(factor: Stacked, form: Form) -> Any:
    return jax.lax.map(lambda layer: _norms(layer, form), factor.layers).sum(0)


squared_norms = SquaredNorms()
"""|g_n|^2 for each n and parameter, (batch,); `total` adds the parameters up."""
