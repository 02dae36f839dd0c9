"""What a forward sweep leaves: ready to go back from, once or several times."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxnn.core.factors import along_batch
from jaxnn.core.layer import Layer
from jaxnn.core.types import Array, Params, Read, Tree


class Swept(NamedTuple):
    """A network after its forward sweep over a mini-batch, with C = sum_n c_n l_n.

    `values` are the l_n (batch,) and `deltas` = dl_n/doutputs, shaped like `outputs`, each
    example's own. `c`, a number or (batch,), are the weights of the examples in C; `own` those of
    the positions inside an example, (batch, ...), None if they count alike.
    """

    net: Layer
    loss: Any
    params: Params
    y: Tree
    outputs: Array
    residuals: Tree
    values: Array
    deltas: Array
    c: Any
    own: Any

    def back(self, dy: Array, read: Read) -> Tree:
        """The readings of a backward sweep from the errors dy, shaped like the outputs."""
        return self.net.backward(self.params, self.residuals, dy, read)[1]

    def root(self, u: Array) -> Array:
        """sqrt(c_n) S_n u for every example, S_n S_n^T = d2l_n/doutputs2: a column of the root of
        the Gauss-Newton matrix, to go back from. u is shaped like the outputs or one of them."""
        s = self.loss.root(self.outputs, self.y, jnp.broadcast_to(u, self.outputs.shape))
        s = s if self.own is None else counted(jnp.sqrt(self.own), s)
        return along_batch(jnp.sqrt(self.c), s)

    def bent(self, v: Array) -> Array:
        """d2l_n/doutputs2 v_n: how deltas move where the outputs move along v."""
        rdeltas = self.loss.bend(self.outputs, self.y, v)
        return rdeltas if self.own is None else counted(self.own, rdeltas)


def counted(own: Array, d: Array) -> Array:
    """own * d, the weights own laid along the first axes of d. Where own is 0 nothing counts: 0
    comes out, though d be nan there."""
    own = own.reshape(own.shape + (1,) * (d.ndim - own.ndim))
    return jnp.where(own == 0, 0, own * d)
