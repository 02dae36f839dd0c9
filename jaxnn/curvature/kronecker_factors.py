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

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor, Outer, along_batch
from jaxnn.core.layer import Layer
from jaxnn.core.trees import over, wide
from jaxnn.core.types import ArrayLike, Key, Params, Tree
from jaxnn.core.values import static
from jaxnn.curvature.roots import check_unmixed, n_columns, root_column, unit
from jaxnn.losses.loss import Loss
from jaxnn.readings.reading import Reading
from jaxnn.sweep.backpropagation import example_weights, prepare

Shared = Literal["expand", "reduce"]


class KroneckerFactors(NamedTuple):
    """inputs (n_in + 1, n_in + 1) and errors (n_out, n_out) of a weight w (n_in, n_out).

    A reading does not know whether a bias stands beside w, so the column of ones is always there;
    `inputs[:-1, :-1]` is for w alone.
    """

    inputs: Any
    errors: Any


class Kronecker(Reading):
    """`KroneckerFactors` in the place of every w of an affine map (an `Outer`), from the errors of
    the targets; None in the place of everything else: a bias is in the factors of its w, and other
    parameters have none. In float32 at least. Micro-batches are merged by their weights.

    `kronecker.replace(shared="reduce")` is the other way with inner axes. Raises ValueError for
    `shared` of another name.
    """

    shared: Shared = static(default="expand")
    per_example = True

    def __post_init__(self) -> None:
        if self.shared not in get_args(Shared):
            raise ValueError(
                f"kronecker: expected shared 'expand' or 'reduce', got {self.shared!r}"
            )

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        if not isinstance(factor, Outer) or factor.transpose:
            return None
        a, d = wide(factor).sides()
        a = jnp.concatenate([a, jnp.ones_like(a[..., :1])], -1)
        if self.shared == "reduce":
            a, d = a.mean(1, keepdims=True), d.sum(1, keepdims=True)
        c = jnp.broadcast_to(jnp.asarray(c, d.dtype), len(d))
        return _Sums(_products(c / a.shape[1], a), _products(c, d), c.sum())

    def answer(self, state: Tree) -> Any:
        return over(_Sums, lambda sums: KroneckerFactors(sums.mean_inputs(), sums.errors), state)


class _Sums(NamedTuple):
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


def kflr(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    shared: Shared = "expand",
) -> Any:
    """Kronecker factors of the Gauss-Newton matrix G, exact where those of K-FAC are sampled.

    The structure of params, filled as by the reading `kronecker`. Takes a backward sweep for each
    entry of an example's output. Arguments and errors as for `ggn_diagonal`.
    Source: Botev, Ritter and Barber 2017, section 3.3.
    """
    check_unmixed("kflr", net)
    x, y, weights = prepare(net, loss, params, x, y, key, weights)
    return _kflr(net, loss, params, x, y, key, weights, Kronecker(shared))


@jax.jit
def _kflr(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key,
    weights: ArrayLike,
    reading: Kronecker,
) -> Any:
    outputs, residuals = net.forward(params, x, key)
    columns = n_columns(outputs)

    def pull(v: Tree, c: ArrayLike) -> Any:
        s = root_column(loss, outputs, y, weights, unit(v, outputs))
        return net.backward(params, residuals, s, lambda factor: reading.of(factor, c))[1]

    c, _ = example_weights(loss, y, weights, outputs.shape[:-1], outputs.dtype)
    return root_factors(pull, c, columns)


def root_factors(pull: Callable[[Any, Any], Any], c: ArrayLike, columns: int) -> Any:
    """KroneckerFactors of G, from columns of a root that are pulled back one after the other.

    `pull(v, c)` reads column v of the root, which has the weights of the examples in it already:
    its c is 1, and only the mean over the inputs takes the c of the objective.
    """

    def errors(v: Tree) -> Any:
        return over(_Sums, lambda sums: sums.errors, pull(v, 1.0))

    def add(total: Any, v: Tree) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, errors(v)), None

    total = jax.lax.scan(add, errors(0), jnp.arange(1, columns))[0] if columns > 1 else errors(0)
    return over(_Sums, lambda s, e: KroneckerFactors(s.mean_inputs(), e), pull(0, c), total)
