"""The first dense layer with its weight the other way round, where a CPU trains it faster so.

A thin layer, such as 784 to 30, has rows of 30 numbers in w (n_in, n_out): they do not fill the
vector registers of a CPU, neither in the products nor in the update. Stored (n_out, n_in) the rows
are long, and the products of S models with one mini-batch are a single one:

    x (batch, n_in)  times  (S n_out, n_in)^T

Nothing else is computed than before, up to rounding. `jaxnn.training.arrangement` says when it is
done. What it is worth: `python -m experiments bench mlp many_models`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import keystr, tree_leaves_with_path

from jaxnn.core.factors import Outer, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Affine
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.core.walk import map_innermost

_REGISTER = 16  # float32 numbers in 64 bytes, a vector register and a cache line


class Columns(Layer):
    """A `Dense` layer of trained parameters, with w stored by columns.

        y = x w^T + b,   dx = dy w,   dw = sum dy (x) x,   db = sum dy

    Shapes: x (*batch, n_in), w (n_out, n_in), b (n_out,), y (*batch, n_out).
    """

    bias: bool = True
    curved = False

    def forward(self, params: Affine, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y = _product(x, params.w)
        return (y + params.b if self.bias else y), x

    def backward(self, params: Affine, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        dw = read(Outer(x, dy, transpose=True))
        return dy @ params.w, Affine(dw, read(Sum(dy)) if self.bias else None)


def _product(x: Tree, w: Array) -> Any:
    """x w^T, as (w x^T)^T: of one x with many w it is one wide product, for which vmap would copy
    every w if it came second."""
    y = lax.dot_general(w, x, (((1,), (x.ndim - 1,)), ((), ())))  # (n_out, *batch)
    if len(w) % _REGISTER:  # then rows of the batch fill registers better than those of w would
        y = lax.optimization_barrier(y)  # without which XLA swaps x and w
    return jnp.moveaxis(y, 0, -1)


def pays(n_in: int, n_out: int, batch: int) -> bool:
    """Whether a dense layer alone is taken by columns: if rows of w are short, or fill no whole
    number of registers where those of the batch do and the batch is no large one. Chosen with 64
    and 784 inputs, 10 to 1000 outputs, and batches of 8 to 1024.
    """
    if n_in < 2 * n_out or n_out == 1:
        return False
    ragged = n_out % _REGISTER != 0
    if n_out < 4 * _REGISTER or (ragged and n_out < 8 * _REGISTER):
        return True
    return ragged and batch <= 64 and batch % 8 == 0


def by_columns(net: Layer, path: str, params: Params) -> tuple[Layer, Callable[[Any], Any]]:
    """(network, turn): the network with the dense layer at `path` as `Columns`, and what turns its
    weight round, there and back, in params and in every tree like them, such as the optimizer's.
    """
    structure, index = jax.tree.structure(params), place_of(params, path)

    def like_params(tree: Tree) -> bool:
        return jax.tree.structure(tree) == structure

    def turned(tree: Tree) -> Any:
        if not like_params(tree):
            return tree
        leaves = jax.tree.leaves(tree)
        leaves[index] = leaves[index].T
        return structure.unflatten(leaves)

    def replaced(place: str, layer: Any) -> Layer:
        return Columns(layer.bias) if place == path else layer

    def turn(tree: Tree) -> Any:
        return jax.tree.map(turned, tree, is_leaf=like_params)

    return map_innermost(replaced, net), turn


def place_of(params: Params, path: str) -> int:
    """Which of the leaves is the weight of the layer at that path."""
    return [keystr(place) for place, _ in tree_leaves_with_path(params)].index(f"{path}.w")
