"""Kronecker factors: the Gauss-Newton matrix of an affine map as a product of two small matrices.

For y = x w + b, with a = [x, 1] and d an error behind the map, the block of [w; b] is

    G = sum_n c_n E[a a^T (x) d d^T]   about   inputs (x) errors

Scale: `inputs` is the mean of a a^T over examples, weighted by c_n, and over positions; `errors` is
the sum of c_n d d^T. So inputs (x) errors is on the scale of the Hessian of the objective C, and
for one example with one position it is the block exactly. Where an example has inner axes,

    "expand"   every position is a case:  inputs mean_t a_t a_t^T,       errors sum_t d_t d_t^T
    "reduce"   an example is one case:    a = mean_t a_t,                d = sum_t d_t

Expand leaves out what positions have in common; reduce is exact where their inputs, or their
errors, are all alike. What d is decides what G is: the errors of the targets (the reading
`kronecker`, the empirical Fisher matrix), columns of a root (`kflr`), or samples of it.
Sources: Martens and Grosse 2015, section 3; Botev, Ritter and Barber 2017 (KFLR); Eschenhagen et
al. 2023 (expand and reduce).
"""

from typing import Any, Literal, NamedTuple

import jax.numpy as jnp

from jaxnn.core.composed import Tied
from jaxnn.core.factors import Factor, Outer, along_batch
from jaxnn.core.trees import over, wide
from jaxnn.core.types import ArrayLike, Tree
from jaxnn.core.values import static
from jaxnn.readings.reading import Reading

Shared = Literal["expand", "reduce"]


class KroneckerFactors(NamedTuple):
    """inputs (n_in + 1, n_in + 1) and errors (n_out, n_out) of a weight w (n_in, n_out).

    A reading does not know whether a bias stands beside w, so the column of ones is always there;
    `inputs[:-1, :-1]` is for w alone.
    """

    inputs: Any
    errors: Any


class Kronecker(Reading, name="kronecker"):
    """`KroneckerFactors` in the place of every w of an affine map (an `Outer`), from the errors of
    the targets; None in the place of everything else: a bias is in the factors of its w, and other
    parameters have none. A weight that is used in several places is one map at the positions of
    all. In a `Repeat` they have a first axis of n, a block for each layer. In float32 at least.
    Micro-batches are merged by their weights.

    `kronecker.replace(shared="reduce")` is the other way with inner axes. Raises ValueError for
    `shared` of another name.
    """

    shared: Shared = static(default="expand")
    per_example = True

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        parts = factor.parts if isinstance(factor, Tied) else (factor,)
        if any(not isinstance(part, Outer) or part.transpose for part in parts):
            return None
        sides = zip(*(wide(part).sides() for part in parts), strict=True)
        a, d = (jnp.concatenate(side, 1) for side in sides)
        a = jnp.concatenate([a, jnp.ones_like(a[..., :1])], -1)
        if self.shared == "reduce":
            a, d = a.mean(1, keepdims=True), d.sum(1, keepdims=True)
        c = jnp.broadcast_to(jnp.asarray(c, d.dtype), len(d))
        return Sums(_products(c / a.shape[1], a), _products(c, d), c.sum())

    def layers(self, found: Tree) -> Any:
        return found and found._replace(weight=found.weight[0])

    def answer(self, state: Tree) -> Any:
        return over(Sums, lambda sums: KroneckerFactors(sums.mean_inputs(), sums.errors), state)


class Sums(NamedTuple):
    """sum_n c_n a a^T, sum_n c_n d d^T and sum_n c_n, which add up over micro-batches."""

    inputs: Any
    errors: Any
    weight: Any

    def mean_inputs(self) -> Any:
        return self.inputs / jnp.where(self.weight > 0, self.weight, 1)


def _products(c: ArrayLike, x: Tree) -> Any:
    """sum_n c_n sum_t x_nt x_nt^T for x (batch, positions, n)."""
    return jnp.tensordot(along_batch(c, x), x, ((0, 1), (0, 1)), precision="highest")


kronecker = Kronecker()
"""Kronecker factors of the gradients of every affine map, in a sweep."""
