"""The first dense layer with its weight the other way round, where that trains many models faster.

A thin layer, such as 784 to 30, has rows of 30 numbers in w (n_in, n_out): too short for the
vector units once every model multiplies its own by a learning rate of its own. Stored (n_out, n_in)
the rows are long, and the products of S models with one mini-batch are a single one:

    x (batch, n_in)  times  (S n_out, n_in)^T

No model computes anything else than before, and only `train_epoch_together` uses it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jax.tree_util import keystr, tree_leaves_with_path

from jaxnn.averaging import Averaged
from jaxnn.combinators import Serial
from jaxnn.dense import Dense
from jaxnn.factors import Outer, Sum
from jaxnn.layer import Layer, Read, map_innermost
from jaxnn.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.parameters import Affine
from jaxnn.penalties import Penalty
from jaxnn.transforms import Chain, clip_by_global_norm, clip_by_value, soft_threshold

_ANY_SHAPE = (
    *(SGD, AdaGrad, RMSProp, Adam, AdamW),
    *(clip_by_global_norm, clip_by_value, soft_threshold),
)


class Columns(Layer):
    """A `Dense` layer of trained parameters, with w stored by columns.

        y = x w^T + b,   dx = dy w,   dw = sum dy (x) x,   db = sum dy

    Shapes: x (*batch, n_in), w (n_out, n_in), b (n_out,), y (*batch, n_out).
    """

    bias: bool = True
    curved = False

    def forward(self, params: Affine, x: Any, key: Any = None) -> tuple[Any, Any]:
        y = _product(x, params.w)
        return (y + params.b if self.bias else y), x

    def backward(self, params: Affine, residuals: Any, dy: Any, read: Read) -> tuple[Any, Any]:
        x = residuals
        dw = read(Outer(x, dy, transpose=True))
        return dy @ params.w, Affine(dw, read(Sum(dy)) if self.bias else None)


@custom_vmap
def _product(x: Any, w: Any) -> Any:
    """x w^T. Of one x with many w it is one wide product, for which vmap would copy every w."""
    return x @ w.T


@_product.def_vmap
def _products(size: int, mapped: list[bool], x: Any, w: Any) -> tuple[Any, bool]:
    if mapped[0]:
        return jax.vmap(lambda x, w: x @ w.T, (0, 0 if mapped[1] else None))(x, w), True
    y = x @ w.reshape(-1, w.shape[-1]).T
    return jnp.moveaxis(y.reshape(*y.shape[:-1], size, -1), -2, 0), True


def by_columns(net: Layer, path: str, params: Any) -> tuple[Layer, Callable[[Any], Any]]:
    """(network, turn): the network with the dense layer at `path` as `Columns`, and what turns its
    weight round, there and back, in params and in every tree like them, such as the optimizer's.
    """
    structure = jax.tree.structure(params)
    index = [keystr(place) for place, _ in tree_leaves_with_path(params)].index(f"{path}.w")

    def like_params(tree: Any) -> bool:
        return jax.tree.structure(tree) == structure

    def turned(tree: Any) -> Any:
        if not like_params(tree):
            return tree
        leaves = jax.tree.leaves(tree)
        leaves[index] = leaves[index].T
        return structure.unflatten(leaves)

    def replaced(place: str, layer: Any) -> Layer:
        return Columns(layer.bias) if place == path else layer

    def turn(tree: Any) -> Any:
        return jax.tree.map(turned, tree, is_leaf=like_params)

    return map_innermost(replaced, net), turn


def first_dense(net: Layer, path: str = "") -> str | None:
    """The path of the first dense layer, if it stands in series with what is in front of it."""
    if isinstance(net, Serial):
        for i, layer in enumerate(net.layers):
            found = first_dense(layer, f"{path}[{i}]")
            if found is not None:
                return found
    return path if type(net) is Dense else None


def any_shape(transformation: Any, penalty: Any) -> bool:
    """Whether both take a weight number by number, or its norm, and so may get it turned round.

    Of transformations and penalties written elsewhere nobody knows.
    """
    if isinstance(transformation, Chain):
        return all(any_shape(t, penalty) for t in transformation.transforms)
    if isinstance(transformation, Averaged):
        return any_shape(transformation.optimizer, penalty)
    return type(transformation) in _ANY_SHAPE and type(penalty) in (Penalty, type(None))
