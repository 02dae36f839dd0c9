"""Second moments and variances of the per-example gradients, entry by entry."""

from functools import singledispatch
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Masked, Stacked
from jaxnn.core.factors import Factor, Outer, Rows
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Tree
from jaxnn.readings.blocks import sum_blocks
from jaxnn.readings.products import HIGHEST
from jaxnn.readings.reading import Reading


class SecondMoment(Reading, name="second_moment"):
    """sum_n g_n^2, shaped like the parameter: every example counts once, whatever its weight.

        Outer, one position   (a^2)^T (d^2)
        Rows                  scatter-add of the squared sums over equal ids of an example

    Other factors form their gradients, a block of examples at a time: with T positions that is a
    cost of T in out for each example, since the square of a sum does not come apart. In float32 at
    least. Micro-batches add up.
    """

    per_example = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return _squares(wide(factor))

    def layers(self, found: Array) -> Array:
        return found


class Variance(Reading, name="variance"):
    """The variance over the examples of g_n, entry by entry, each with its part of the weights:

        sum_n p_n (g_n - mean)^2,   mean = sum_n p_n g_n,   p_n = c_n / sum_m c_m

    Shaped like the parameter; multiply by N/(N - 1) for the unbiased one. Nothing is computed as
    the difference of two large means: an Outer at one position goes by centred factors,
    alpha = a - mean a and eps = d - mean d, with E over p and m = E[alpha (x) eps],

        (mean a)^2 E[eps^2] + E[alpha^2] (mean d)^2 + E[alpha^2 eps^2] - m^2
        + 2 mean a mean d m + 2 mean a E[alpha eps^2] + 2 mean d E[alpha^2 eps]

    which is four products of matrices; Rows by the rows each example touched; other factors form
    their gradients, a block of examples at a time. In float32 at least. Micro-batches are merged by
    their means and variances. Source: for the merging, Chan, Golub and LeVeque 1979, eq. 2.1.
    """

    per_example = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        factor = wide(factor)
        rows = jax.tree.leaves(factor.rows()[0])
        dtype = jax.eval_shape(factor.contract).dtype
        c = jnp.broadcast_to(jnp.asarray(c, dtype), len(rows[0]))
        weight = c.sum()
        return _Spread(weight, *_spread(factor, c / jnp.where(weight > 0, weight, 1)))

    def layers(self, found: "_Spread") -> "_Spread":
        return found._replace(weight=found.weight[0])

    def merge(self, state: Tree, other: Tree) -> Any:
        return over(_Spread, _merge, state, other)

    def answer(self, state: Tree) -> Any:
        return over(_Spread, lambda spread: spread.variance, state)


class _Spread(NamedTuple):
    """The weight of some examples, their mean and their variance."""

    weight: Any
    mean: Any
    variance: Any


def _merge(a: _Spread, b: _Spread) -> _Spread:
    weight = a.weight + b.weight
    part = b.weight / jnp.where(weight > 0, weight, 1)
    apart = b.mean - a.mean
    between = part * (1 - part) * apart * apart
    variance = (1 - part) * a.variance + part * b.variance + between
    return _Spread(weight, a.mean + part * apart, variance)


@singledispatch
def _squares(factor: Factor) -> Any:
    """sum_n G(d[n])^2."""
    return sum_blocks(lambda each: (each * each).sum(0), factor)


@_squares.register
def _outer_squares(factor: Outer) -> Any:
    left, right = factor.sides()
    if left.shape[1] > 1:
        return sum_blocks(lambda each: (each * each).sum(0), factor)
    return _product(left[:, 0] ** 2, right[:, 0] ** 2)


@_squares.register
def _rows_squares(factor: Rows) -> Any:
    sums, share = factor.distinct()
    return _scatter(factor, share[..., None] * sums * sums)


@_squares.register
def _masked_squares(factor: Masked) -> Any:
    return factor.mask * factor.mask * _squares(factor.part)


@_squares.register
def _stacked_squares(factor: Stacked) -> Any:
    return jax.lax.map(_squares, factor.layers)


@singledispatch
def _spread(factor: Factor, p: Array) -> tuple[Any, Any]:
    """(mean, variance) of G(d[n]) under the weights p, (batch,), of sum 1."""
    about = factor.contract(p)

    def sums(each: Any, p: Array) -> Any:
        centred = each - about
        both = jnp.stack([centred, centred * centred], 1)
        return jnp.tensordot(p, both, 1, precision=HIGHEST)

    left, squares = sum_blocks(sums, factor, p)  # left: what rounding made of the mean
    return about + left, jnp.maximum(squares - left * left, 0)


@_spread.register
def _outer_spread(factor: Outer, p: Array) -> tuple[Any, Any]:
    left, right = factor.sides()
    if left.shape[1] > 1:
        return _spread.dispatch(Factor)(factor, p)
    a, d = left[:, 0], right[:, 0]
    (mean_a, alpha), (mean_d, eps), p = _centred(a, p), _centred(d, p), p[:, None]
    m = _product(p * alpha, eps)
    column, square, eps2 = mean_a[:, None], alpha * alpha, eps * eps
    variance = (
        column * column * (p * eps2).sum(0)
        + (p * square).sum(0)[:, None] * mean_d * mean_d
        + (_product(p * square, eps2) - m * m)
        + 2 * column * mean_d * m
        + 2 * column * _product(p * alpha, eps2)
        + 2 * mean_d * _product(p * square, eps)
    )
    return column * mean_d + m, jnp.maximum(variance, 0)


@_spread.register
def _rows_spread(factor: Rows, p: Array) -> tuple[Any, Any]:
    """Where an example touches a row the square is of sums - mean, elsewhere of the mean alone."""
    mean = factor.contract(p)
    sums, share = factor.distinct()
    p = (p[:, None] * share)[..., None]
    here = mean.at[factor.ids.reshape(share.shape)].get(mode="fill", fill_value=0)
    touched = _scatter(factor, jnp.broadcast_to(p, sums.shape))
    near = _scatter(factor, p * (sums - here) ** 2)
    return mean, near + jnp.maximum(1 - touched, 0) * mean * mean


@_spread.register
def _masked_spread(factor: Masked, p: Array) -> tuple[Any, Any]:
    mean, variance = _spread(factor.part, p)
    return factor.mask * mean, factor.mask * factor.mask * variance


@_spread.register
def _stacked_spread(factor: Stacked, p: Array) -> tuple[Any, Any]:
    return jax.lax.map(lambda layer: _spread(layer, p), factor.layers)


def _centred(x: Tree, p: Array) -> tuple[Any, Any]:
    """(mean, x - mean) under p, centred twice: the first mean is rounded like x itself."""
    mean = jnp.matmul(p, x, precision=HIGHEST)
    left = jnp.matmul(p, x - mean, precision=HIGHEST)
    return mean + left, x - mean - left


def _product(a: Array, d: Array) -> Any:
    return jnp.matmul(a.T, d, precision=HIGHEST)


def _scatter(factor: Rows, d: Array) -> Any:
    return factor.replace(d=d.reshape(factor.d.shape)).contract()


second_moment = SecondMoment()
"""sum_n g_n^2, entry by entry, shaped like the parameter."""

variance = Variance()
"""The variance of g_n over the examples, entry by entry."""
