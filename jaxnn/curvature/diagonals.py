"""Diagonals of the Gauss-Newton matrix and of the Hessian, shaped like the parameters.

    diag(G) = sum_n c_n sum_v (J_n^T S_n e_v)^2

with S_n a root of the loss's Hessian: `jaxnn.curvature` says what G is, `jaxnn.curvature.roots`
what is pulled back. The squares of one column are the second moment of its factors.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor, Outer, Scaled, Sum
from jaxnn.core.layer import Layer, curved_layers
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.curvature.roots import check_unmixed, n_columns, random_signs, root_column, unit
from jaxnn.losses.loss import Loss
from jaxnn.readings import second_moment
from jaxnn.sweep.backpropagation import prepare


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
    check_unmixed("ggn_diagonal", net)
    x, y, weights = prepare(net, loss, params, x, y, key, weights)
    return _exact(net, loss, params, x, y, key, weights)


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
    check_unmixed("sampled_ggn_diagonal", net)
    x, y, weights = prepare(net, loss, params, x, y, key, weights)
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise ValueError(f"expected samples to be a whole number >= 2, got {samples!r}")
    return _sampled(net, loss, params, x, y, signs, key, weights, samples=samples)


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


@jax.jit
def _exact(
    net: Layer, loss: Loss, params: Params, x: Tree, y: Tree, key: Key, weights: ArrayLike
) -> Any:
    columns, outputs = _columns(net, loss, params, x, y, key, weights)

    def squares(v: Tree) -> Any:
        def of(factor: Any) -> Any:
            return wide(factor.d) ** 2 if _apart(factor) else second_moment(factor)

        return over(Factor, of, columns(unit(v, outputs)))

    def moment(factor: Factor, total: Any) -> Any:
        return second_moment(factor.replace(d=jnp.sqrt(total))) if _apart(factor) else total

    def add(total: Any, v: Tree) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, squares(v)), None

    total = jax.lax.scan(add, _zeros(squares, jnp.int32(0)), jnp.arange(n_columns(outputs)))[0]
    return over(Factor, moment, columns(unit(0, outputs)), total)


def _apart(factor: Any) -> bool:
    """Whether G(d)^2 is linear in d^2, so that columns can be added up before any product: at one
    position, where no sum stands inside the square."""
    return type(factor) in (Outer, Sum, Scaled) and factor.d.ndim == 2


@partial(jax.jit, static_argnames="samples")
def _sampled(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    signs: ArrayLike,
    key: Key,
    weights: ArrayLike,
    *,
    samples: int,
) -> Sampled:
    columns, outputs = _columns(net, loss, params, x, y, key, weights)

    def squares(u: Array) -> Any:
        return over(Factor, second_moment, columns(u))

    def add(moments: Any, sample: Any) -> tuple[Any, None]:
        (k, own), (mean, spread) = sample, moments
        found = squares(random_signs(own, outputs))
        off = jax.tree.map(jnp.subtract, found, mean)
        mean = jax.tree.map(lambda m, o: m + o / k.astype(o.dtype), mean, off)
        spread = jax.tree.map(lambda s, o, f, m: s + o * (f - m), spread, off, found, mean)
        return (mean, spread), None

    zeros = _zeros(squares, outputs)
    each = jnp.arange(1, samples + 1), jax.random.split(signs, samples)
    mean, spread = jax.lax.scan(add, (zeros, zeros), each)[0]
    share = 1 / (samples * (samples - 1))
    return Sampled(mean, jax.tree.map(lambda s: jnp.sqrt(share * s), spread))


def _columns(
    net: Layer, loss: Loss, params: Params, x: Tree, y: Tree, key: Key, weights: ArrayLike
) -> tuple[Callable[[Any], Any], Any]:
    """(columns, outputs), columns(u) a tree like params with the factors of sqrt(c_n) J_n^T S_n u_n
    in it."""
    outputs, residuals = net.forward(params, x, key)

    def columns(u: Array) -> Any:
        s = root_column(loss, outputs, y, weights, u)
        return net.backward(params, residuals, s, lambda factor: factor)[1]

    return columns, outputs


def _zeros(squares: Callable[[Any], Any], like: Tree) -> Any:
    shapes = jax.eval_shape(squares, like)
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
