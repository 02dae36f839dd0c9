"""Dropout: entries, columns or weights set to zero at random while training.

`drop_rate` is the fraction that is dropped, as in Keras; a text that speaks of the fraction kept,
q, means 1 - drop_rate. Every layer here needs a key in `forward`, keeps its mask for `backward`,
and `freeze` takes it out of the network. Source: Srivastava et al. 2014; weights: Wan et al. 2013.
"""

import math
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn.core.composed import Masked
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Affine
from jaxnn.core.ranges import Fraction
from jaxnn.core.refusals import check_floating, check_record, require_key
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.activations import linear
from jaxnn.layers.dense import Dense

Draw = Literal["bernoulli", "exact"]
Rescale = Literal["training", "inference"]


class Dropout(Layer):
    """Sets entries of x to zero, so that no unit relies on another.

        y = m x / (1 - drop_rate),   dx = m dy / (1 - drop_rate),   m of zeros and ones

    Shapes: x and y (batch, ..., n). `per` says what a mask belongs to: with "example" m is shaped
    like x, with "batch" it is (n,), one mask for the whole mini-batch, which takes whole rows out
    of the weight that follows (columns, where a text writes w x). `draw` is "bernoulli", each entry
    on its own, or "exact": of the n entries of a row round(drop_rate n) are dropped, no more, no
    less. `rescale` says when 1 - drop_rate is made up for: in "training" (inverted dropout, as
    above), or at "inference", when y = m x is trained and (1 - drop_rate) x used (classic dropout).

    Residuals: m. Frozen: the identity, or `linear(1 - drop_rate)`. Raises ValueError without a key
    and for a rate outside [0, 1), TypeError for an x that is not floating point.
    """

    drop_rate: Annotated[float, Fraction]
    """Fraction dropped, not the fraction kept."""
    per: Literal["example", "batch"] = "example"
    """Whether each example has a mask of its own, or the mini-batch has one for all."""
    draw: Draw = "bernoulli"
    """Each entry on its own, or exactly that fraction of every row."""
    rescale: Rescale = "training"
    """When the loss of size is made up for."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        shape = x.shape if self.per == "example" else x.shape[-1:]
        m = draw_mask(require_key(self, key), self.drop_rate, shape, self.draw)
        return jnp.where(m, x * _gain(self), 0), m

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        m = residuals
        return jnp.where(m, dy * _gain(self), 0), ()

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        m = residuals
        return (None if vx is None else jnp.where(m, vx * _gain(self), 0)), None

    def freeze(self, params: Params, statistics: Tree) -> tuple[Layer, Any]:
        return linear(1 - self.drop_rate) if self.rescale == "inference" else linear, ()


class DropConnect(Dense):
    """A dense layer with single weights set to zero, one mask for the whole mini-batch.

        y = x v + b,   v = m w / (1 - drop_rate)
        dx = dy v^T,   dw = m (sum x (x) dy) / (1 - drop_rate),   db = sum dy

    Shapes, parameters and errors are those of `Dense`, whose hyperparameters come first; m is
    shaped like w, and `draw` and `rescale` are as for `Dropout`. Residuals: x and m. Frozen: the
    `Dense`, its w times 1 - drop_rate if `rescale` is "inference". Source: Wan et al. 2013, eq. 6.
    """

    drop_rate: Annotated[float, Fraction] = 0.5
    """Fraction of the weights dropped."""
    draw: Draw = "bernoulli"
    """Each weight on its own, or exactly that fraction of every row."""
    rescale: Rescale = "training"
    """When the loss of size is made up for."""

    def forward(self, params: Affine, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_record(self, params, Affine)
        m = draw_mask(require_key(self, key), self.drop_rate, params.w.shape, self.draw)
        y, x = super().forward(self._masked(params, m), x)
        return y, (x, m)

    def backward(self, params: Affine, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x, m = residuals
        gain = _gain(self) * m.astype(dy.dtype)
        dx, (dw, db) = super().backward(self._masked(params, m), x, dy, lambda factor: factor)
        return dx, Affine(read(Masked(dw, gain)), read(db) if self.bias else None)

    def push(self, params: Affine, residuals: Tree, vparams: Affine, vx: Tree) -> tuple[Tree, Tree]:
        x, m = residuals
        return super().push(self._masked(params, m), x, self._masked(vparams, m), vx)

    def bend(
        self, params: Affine, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        x, m = residuals
        gain = _gain(self) * m.astype(dy.dtype)
        masked = self._masked(params, m)
        dx, rdx, (dw, db) = super().bend(masked, x, tangents, dy, rdy, lambda factor: factor)
        return dx, rdx, Affine(read(Masked(dw, gain)), read(db) if self.bias else None)

    def _masked(self, params: Affine, m: Array) -> Affine:
        return params._replace(w=jnp.where(m, params.w * _gain(self), 0))

    def freeze(self, params: Affine, statistics: Tree) -> tuple[Layer, Any]:
        kept = 1 - self.drop_rate if self.rescale == "inference" else 1.0
        dense = Dense(self.n_out, self.w_init, self.b_init, self.bias)
        return dense, params._replace(w=kept * params.w)


def draw_mask(key: Key, drop_rate: float, shape: tuple[int, ...], draw: Draw) -> Any:
    """A mask, False where dropped: if "exact", round(drop_rate n) times in each row of n, else with
    exactly that probability, all but independently."""
    if draw == "bernoulli":
        return _kept(key, 1 - drop_rate, shape)
    order = jnp.argsort(jax.random.uniform(key, shape, jnp.float32), axis=-1)
    return order >= round(drop_rate * shape[-1])


def _kept(key: Key, rate: float, shape: tuple[int, ...]) -> Any:
    """Entries that are each True with probability `rate`. Random bits are nearly all that a mask
    costs, and four bytes an entry, as `jax.random.bernoulli` takes them, are more than it needs.

    At 1/2 an entry takes one bit. Else it takes a byte, True below 256 rate, and each row of the
    mask rounds that number up or down, at random in proportion to its fraction: so the probability
    is exact, and the covariance of two entries of a row is below 4e-6.
    """
    size, (fraction, whole) = math.prod(shape), math.modf(256 * rate)
    if rate == 0.5:
        words = jax.random.bits(key, (-(-size // 32), 1), jnp.uint32)
        bits = (words >> jnp.arange(32, dtype=jnp.uint32)) & 1
        return (bits == 1).reshape(-1)[:size].reshape(shape)
    key, key_up = jax.random.split(key)
    words = jax.random.bits(key, (-(-size // 4),), jnp.uint32)
    drawn = lax.bitcast_convert_type(words, jnp.uint8).reshape(-1)[:size].reshape(shape)
    up = jax.random.bits(key_up, (*shape[:-1], 1), jnp.uint32) < jnp.uint32(int(2**32 * fraction))
    return drawn.astype(jnp.int16) < int(whole) + up.astype(jnp.int16)


def _gain(layer: Dropout | DropConnect) -> float:
    return 1 / (1 - layer.drop_rate) if layer.rescale == "training" else 1.0
