"""What "one example" means in a network that mixes examples, such as batch-norm in training.

There l_n depends on every row of the batch, and the error of a row is not that row's alone. So
readings of single examples raise, unless the caller says which of these quantities is meant:

    "frozen"       The statistics of this batch are constants. Each g_n is the gradient of l_n in
                   that network; they add up to its gradient, not to that of the network in
                   training, and every reading is of it, `gradient` too.
    "attribution"  g_n is the share of row n in dC/dw: the mean weight times the sum of g_n is
                   exactly the gradient. No g_n is the gradient of l_n.
    "exact"        g_n = dl_n/dw, through the statistics: a backward sweep for every example up to
                   the last layer that mixes, N times the price, and N gradients in memory. Behind
                   that layer the ordinary rule is exact, and for a `Dense` directly in front of a
                   last `BatchNorm` there is a closed form, `before_batch_norm`.

None of the three bounds what one example can do, so `clipped` refuses them all.
"""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Masked, Tied
from jaxnn.core.factors import Factor, Formed, Outer, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Affine
from jaxnn.core.swept import Swept
from jaxnn.core.trees import cast, over
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.walk import map_innermost, mixing_layers
from jaxnn.layers.batch_norm import BatchNorm
from jaxnn.layers.combinators import Serial
from jaxnn.layers.dense import Dense
from jaxnn.readings.clipping import clipped
from jaxnn.readings.reading import Reading, Several

Mixing = Literal["error", "frozen", "attribution", "exact"]


def check_mixing(reading: Reading, mixes: list[str], mixing: str) -> None:
    """Refuse readings of single examples where there are layers that mix them.

    Raises ValueError naming the layers and the modes that can be chosen.
    """
    if mixing not in get_args(Mixing):
        raise ValueError(f"expected mixing to be one of {get_args(Mixing)}, got {mixing!r}")
    for one in reading.readings if isinstance(reading, Several) else (reading,):
        if not (mixes and one.per_example):
            continue
        unbounded = isinstance(one, clipped) and not one.despite_mixing
        if unbounded or mixing == "error":
            raise ValueError(
                f"{type(one).__name__}: expected a network in which an example has a gradient of "
                f"its own, got layers that mix examples: {', '.join(mixes)}; "
                + (_UNBOUNDED if unbounded else _MODES)
            )


_MODES = (
    "choose mixing='frozen' (their statistics as constants), 'attribution' (the share of a row in "
    "the gradient) or 'exact' (a sweep for each example)"
)
_UNBOUNDED = (
    "no bound holds for one example there, so freeze the network, use one without them, or set "
    "despite_mixing=True and choose mixing='frozen', 'attribution' or 'exact'"
)


def with_constant_statistics(net: Layer) -> Layer:
    """The network with the same outputs, whose backward takes the statistics as constants."""

    def change(path: str, layer: Layer) -> Layer:
        return _Constant(layer) if layer.mixes_examples else layer

    return map_innermost(change, net)


class _Constant(Layer):
    """A layer that mixes examples, going backward as it does frozen with this very batch."""

    layer: Layer

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.layer.forward(params, x, key)
        frozen, p = self._frozen(params, residuals)
        return y, (residuals, frozen.forward(cast(p, x.dtype), x, key)[1])

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        residuals, of_frozen = residuals
        frozen, p = self._frozen(params, residuals)
        _, readings = self.layer.backward(params, residuals, dy, read)
        return frozen.backward(cast(p, dy.dtype), of_frozen, dy, lambda factor: factor)[0], readings

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals[0])

    def _frozen(self, params: Params, residuals: Tree) -> tuple[Layer, Any]:
        """The layer with the statistics it used for this batch, whatever inference will use."""
        layer = self.layer
        layer = layer.replace(statistics_ddof=None) if isinstance(layer, BatchNorm) else layer
        return layer.freeze(params, layer.observe(residuals))


class OneByOne(Swept):
    """A forward sweep that goes back for each example alone where examples mix."""

    def back(self, dy: Array, read: Read) -> Tree:
        return over(Factor, read, exact_factors(self.net, self.params, self.residuals, dy))


def exact_factors(net: Layer, params: Params, residuals: Tree, deltas: Array) -> Any:
    """The structure of params, with a factor for each whose gradients are dl_n/dw exactly."""
    if not isinstance(net, Serial):
        return _one_by_one(net, params, residuals, deltas)
    cut = max(i for i, layer in enumerate(net.layers) if mixing_layers(layer)) + 1
    dy, behind = deltas, []
    for i in reversed(range(cut, len(net.layers))):
        dy, found = net.layers[i].backward(params[i], residuals[i], dy, lambda factor: factor)
        behind.append(found)
    front = _up_to_the_last(net.layers[:cut], params[:cut], residuals[:cut], dy)
    return (*front, *reversed(behind))


def before_batch_norm(x: Tree, xhat: Any, s: Any, d: Array, ddof: int = 0) -> Factor:
    """The factor of the w of a `Dense` directly in front of the last batch-norm of a network.

        dl_n/dw = s (sum_t (x_nt - mean x) (x) d_nt - C * sum_t d_nt xhat_nt),   C = mean x (x) xhat

    x (batch, ..., n_in) is the input of the `Dense`, xhat and s are those of the `BatchNorm`, and
    d = scale dy with dy each row's own error behind it. The means run over all rows, that in C with
    the divisor of the variance, rows - ddof; t over the positions of an example. The gradient of a
    bias there is 0.
    """
    rows = tuple(range(x.ndim - 1))
    centred = x - x.mean(rows)
    c = jnp.tensordot(centred, xhat, (rows, rows)) / (x.size // x.shape[-1] - ddof)
    own = Outer(centred, s * d)
    return Tied((own, Masked(Outer(jnp.ones_like(x), s * d * xhat), -c)))


def _up_to_the_last(layers: Any, params: Params, residuals: Tree, dy: Tree) -> tuple[Any, ...]:
    """`exact_factors` of layers of which the last mixes examples."""
    if not (type(layers[-1]) is BatchNorm and len(layers) > 1 and type(layers[-2]) is Dense):
        return _one_by_one(Serial(layers), params, residuals, dy)
    rule = layers[-1].rule(residuals[-1][0])
    xhat, s = rule.standardised(*residuals[-1])
    scaled = params[-1].scale * dy if layers[-1].learned else dy
    w = before_batch_norm(residuals[-2], xhat, s.astype(dy.dtype), scaled, rule.ddof)
    dense = Affine(w, Sum(jnp.zeros_like(dy)) if layers[-2].bias else None)
    _, norm = layers[-1].backward(params[-1], residuals[-1], dy, lambda factor: factor)
    front = params[:-2]
    if jax.tree.leaves(front):
        front = _one_by_one(Serial(layers), params, residuals, dy)[:-2]
    return (*front, dense, norm)


def _one_by_one(net: Layer, params: Params, residuals: Tree, deltas: Array) -> Any:
    """A backward sweep for each example, with the errors of the others set to zero."""

    def alone(n: Any) -> Any:
        row = jnp.zeros_like(deltas).at[n].set(deltas[n])
        return net.backward(params, residuals, row, lambda factor: factor.contract())[1]

    return jax.tree.map(Formed, jax.lax.map(alone, jnp.arange(len(deltas))))
