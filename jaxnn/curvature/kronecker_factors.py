"""Kronecker factors: the Gauss-Newton matrix of an affine map as a product of two small matrices.

For y = x w + b, with a = [x, 1] and d an error behind the map, the block of [w; b] is

    G = sum_n c_n E[a a^T (x) d d^T]   about   inputs (x) errors

Scale: `inputs` is the mean of a a^T over all positions, each weighted by the c_n of its example;
`errors` is the sum of c_n d d^T. So inputs (x) errors is on the scale of the Hessian of the
objective C, and for one example with one position it is the block exactly. Means leave out padding,
the positions of weight 0, where a map has the positions of the loss. Where an example has inner
axes,

    "expand"   every position is a case:  inputs mean_t a_t a_t^T,       errors sum_t d_t d_t^T
    "reduce"   an example is one case:    a = mean_t a_t,                d = sum_t d_t

Expand leaves out what positions have in common; reduce is exact where their inputs, or their
errors, are all alike. What d is decides what G is: the errors of the targets (the reading
`kronecker`, the empirical Fisher matrix), columns of a root (`kflr`), or samples of it.
Sources: Martens and Grosse 2015, section 3; Botev, Ritter and Barber 2017 (KFLR); Eschenhagen et
al. 2023 (expand and reduce).
"""

from dataclasses import KW_ONLY
from typing import Any, Literal, NamedTuple, Self

import jax.numpy as jnp

from jaxnn.core.composed import Tied
from jaxnn.core.conv_outer import ConvOuter
from jaxnn.core.factors import Factor, Outer, along_batch
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Tree
from jaxnn.core.values import static
from jaxnn.readings.reading import Reading

Shared = Literal["expand", "reduce"]


class KroneckerFactors(NamedTuple):
    """inputs (n_in + 1, n_in + 1) and errors (n_out, n_out) of a weight w (n_in, n_out), or of a
    kernel (*window, n_in, n_out) with all axes but the last as one.

    A reading does not know whether a bias stands beside w, so the column of ones is always there;
    `inputs[:-1, :-1]` is for w alone.
    """

    inputs: Any
    errors: Any


class Kronecker(Reading, name="kronecker"):
    """`KroneckerFactors` in the place of every w of an affine map (an `Outer`, or a `ConvOuter` in
    one group), from the errors of the targets; None in the place of everything else: a bias is in
    the factors of its w, and other parameters have none. A weight that is used in several places is
    one map at the positions of all. In a `Repeat` they have a first axis of n, a block for each
    layer. In float32 at least. Micro-batches are merged by their weights.

    `kronecker.replace(shared="reduce")` is the other way with inner axes. Raises ValueError for
    `shared` of another name.
    """

    shared: Shared = static(default="expand")
    _: KW_ONLY
    own: Any = None
    """Weights of the positions inside an example; a sweep sets them."""
    per_example = True

    def counting(self, own: Array | None) -> Self:
        return self.replace(own=own)

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        parts = [_as_map(part) for part in (factor.parts if isinstance(factor, Tied) else [factor])]
        if any(part is None for part in parts):
            return None
        sides = [wide(part).sides() for part in parts]
        a, d = (jnp.concatenate(side, 1) for side in zip(*sides, strict=True))
        kept = jnp.concatenate([self._kept(a) for a, _ in sides], 1)
        a = jnp.concatenate([a, jnp.ones_like(a[..., :1])], -1)
        if self.shared == "reduce":
            share = kept / jnp.maximum(kept.sum(1, keepdims=True), 1)
            a, d = (share[..., None] * a).sum(1, keepdims=True), d.sum(1, keepdims=True)
            kept = jnp.ones_like(kept[:, :1])
        c = jnp.broadcast_to(jnp.asarray(c, d.dtype), len(d))
        cases = c[:, None] * kept
        return Sums(_products(cases, a), _products(c, d), cases.sum())

    def _kept(self, a: Array) -> Array:
        """1 for each position that counts, 0 for the others, (batch, positions)."""
        own = self.own
        if own is None or own.reshape(len(own), -1).shape != a.shape[:2]:
            return jnp.ones(a.shape[:2], a.dtype)
        return (own != 0).reshape(a.shape[:2]).astype(a.dtype)

    def layers(self, found: Tree) -> Any:
        return found and found._replace(weight=found.weight[0])

    def answer(self, state: Tree) -> Any:
        return over(Sums, lambda sums: KroneckerFactors(sums.mean_inputs(), sums.errors), state)


def _as_map(factor: Factor) -> Outer | None:
    """The factor of an affine map, a convolution as one of its patches; None of anything else."""
    if isinstance(factor, ConvOuter):
        return factor.unfolded() if factor.folds else None
    return factor if isinstance(factor, Outer) and not factor.transpose else None


class Sums(NamedTuple):
    """sum c_n a a^T, sum c_n d d^T and sum c_n over all cases, which add up over micro-batches."""

    inputs: Any
    errors: Any
    weight: Any

    def mean_inputs(self) -> Any:
        return self.inputs / jnp.where(self.weight > 0, self.weight, 1)


def _products(c: ArrayLike, x: Tree) -> Any:
    """sum_nt c_nt x_nt x_nt^T for x (batch, positions, n) and c (batch, positions) or (batch,)."""
    return jnp.tensordot(along_batch(c, x), x, ((0, 1), (0, 1)), precision="highest")


kronecker = Kronecker()
"""Kronecker factors of the gradients of every affine map, in a sweep."""
