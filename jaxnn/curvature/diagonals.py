"""Diagonals of the Gauss-Newton matrix and of the Hessian, shaped like the parameters.

    diag(G) = sum_n c_n sum_v (J_n^T S_n e_v)^2

with S_n a root of the loss's Hessian: `jaxnn.curvature` says what G is, `jaxnn.curvature.roots`
what is pulled back. The squares of one column are the second moment of its factors.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor, Outer, Scaled, Sum
from jaxnn.core.layer import Layer
from jaxnn.core.swept import Swept
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.core.values import static
from jaxnn.core.walk import curved_layers
from jaxnn.curvature.roots import asked_of, n_columns, random_signs, unit
from jaxnn.losses.loss import Loss
from jaxnn.readings.moments import second_moment
from jaxnn.readings.reading import Reading
from jaxnn.sweep.records import Batch


class Sampled(NamedTuple):
    """A mean over samples and the standard error of that mean, both trees like params."""

    mean: Any
    standard_error: Any


def ggn_diagonal(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
) -> Any:
    """diag(G), exact, with the structure of params.

    Takes as many backward sweeps as an example's output has entries, one after the other, in the
    memory of one. With a backward rule, J^T is that of the rule. Arguments and errors as for
    `backprop`; ValueError for a network that mixes examples, TypeError for a loss without `root`.
    Source: Schraudolph 2002; Dangel, Kunstner and Hennig 2020, section 2.3.
    """
    return asked_of("ggn_diagonal", GGNDiagonal(), net, loss, params, Batch(x, y, weights, key))


def sampled_ggn_diagonal(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    signs: ArrayLike,
    key: Key = None,
    *,
    samples: int,
    weights: ArrayLike = None,
) -> Sampled:
    """diag(G) as a mean over samples, each a backward sweep, with its standard error.

    `signs` is the random key of the samples, `key` that of the network. For many classes, where
    `ggn_diagonal` costs as many sweeps. Arguments and errors as there; ValueError for fewer than
    two samples, which have no spread.
    """
    reading, batch = SampledGGNDiagonal(signs, samples), Batch(x, y, weights, key)
    return asked_of("sampled_ggn_diagonal", reading, net, loss, params, batch)


def hessian_diagonal(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
) -> Any:
    """diag(H), exact, of a piecewise linear network, where it is diag(G).

    There every path from a parameter to the outputs is straight, so no output has a second
    derivative by one parameter alone. Exactly on a kink, such as `relu` at 0, the derivative is
    that of the layer's backward and the second one 0. Arguments and errors as for `ggn_diagonal`;
    ValueError for a network with curved layers, naming them.
    """
    curved = curved_layers(net)
    if curved:
        raise ValueError(
            f"hessian_diagonal: expected a piecewise linear network, got {', '.join(curved)}; take "
            "ggn_diagonal, which leaves out how curved the network is, or hvp with v one-hot for "
            "a few entries of the Hessian"
        )
    return ggn_diagonal(net, loss, params, x, y, key, weights=weights)


class GGNDiagonal(Reading):
    """diag(G) as a reading, `ggn_diagonal` of a sweep that gives more. Micro-batches add up."""

    per_example = True

    def pull(self, swept: Swept) -> Tree:
        def squares(v: Tree) -> Tree:
            def of(factor: Any) -> Array:
                return wide(factor).d ** 2 if _apart(factor) else second_moment(factor)

            return over(Factor, of, _column(swept, unit(v, swept.outputs)))

        def moment(factor: Any, total: Array) -> Array:
            return second_moment(factor.replace(d=jnp.sqrt(total))) if _apart(factor) else total

        def add(total: Tree, v: Tree) -> tuple[Tree, None]:
            return jax.tree.map(jnp.add, total, squares(v)), None

        columns = jnp.arange(n_columns(swept.outputs))
        total = jax.lax.scan(add, _zeros(squares, jnp.int32(0)), columns)[0]
        return over(Factor, moment, _column(swept, unit(0, swept.outputs)), total)


class SampledGGNDiagonal(Reading):
    """`sampled_ggn_diagonal` as a reading, of a key `signs`. Micro-batches add up."""

    signs: Any
    samples: int = static()
    per_example = True

    def __post_init__(self) -> None:
        if isinstance(self.samples, bool) or not isinstance(self.samples, int) or self.samples < 2:
            raise ValueError(f"expected samples to be a whole number >= 2, got {self.samples!r}")

    def part(self, rows: Tree) -> "SampledGGNDiagonal":
        return self.replace(signs=jax.random.fold_in(self.signs, rows[0]))

    def pull(self, swept: Swept) -> Sampled:
        def squares(u: Array) -> Tree:
            return over(Factor, second_moment, _column(swept, u))

        def add(moments: Any, sample: Any) -> tuple[Any, None]:
            (k, own), (mean, spread) = sample, moments
            found = squares(random_signs(own, swept.outputs))
            off = jax.tree.map(jnp.subtract, found, mean)
            mean = jax.tree.map(lambda m, o: m + o / k.astype(o.dtype), mean, off)
            spread = jax.tree.map(lambda s, o, f, m: s + o * (f - m), spread, off, found, mean)
            return (mean, spread), None

        zeros = _zeros(squares, swept.outputs)
        each = jnp.arange(1, self.samples + 1), jax.random.split(self.signs, self.samples)
        mean, spread = jax.lax.scan(add, (zeros, zeros), each)[0]
        share = 1 / (self.samples * (self.samples - 1))
        return Sampled(mean, jax.tree.map(lambda s: share * s, spread))  # variances add up

    def answer(self, state: Sampled) -> Sampled:
        return Sampled(state.mean, jax.tree.map(jnp.sqrt, state.standard_error))


def _apart(factor: Any) -> bool:
    """Whether G(d)^2 is linear in d^2, so that columns can be added up before any product: at one
    position, where no sum stands inside the square."""
    return type(factor) in (Outer, Sum, Scaled) and factor.d.ndim == 2


def _column(swept: Swept, u: Array) -> Tree:
    """A tree like params with the factors of sqrt(c_n) J_n^T S_n u_n in it."""
    return swept.back(swept.root(u), lambda factor: factor)


def _zeros(squares: Callable[[Any], Any], like: Tree) -> Tree:
    shapes = jax.eval_shape(squares, like)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
