"""The first dense layer with its weight the other way round, where a CPU trains it faster so.

A thin layer, such as 784 to 30, has rows of 30 numbers in w (n_in, n_out): they do not fill the
vector registers of a CPU, neither in the products nor in the update. Stored (n_out, n_in) the rows
are long, and the products of S models with one mini-batch are a single one:

    x (batch, n_in)  times  (S n_out, n_in)^T

Nothing else is computed than before, up to rounding. `train_epoch` turns the weight round for the
time of an epoch where `pays` says so, `train_epoch_together` wherever it can. What it is worth:
`python -m experiments bench mlp many_models`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import keystr, tree_leaves_with_path

from jaxnn.core.factors import Outer, Sum
from jaxnn.core.layer import Layer, Read, map_innermost
from jaxnn.core.parameters import Affine
from jaxnn.layers.combinators import Serial
from jaxnn.layers.dense import Dense
from jaxnn.losses.penalties import Penalty
from jaxnn.optim.averaging import Averaged
from jaxnn.optim.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.optim.transforms import Chain, clip_by_global_norm, clip_by_value, soft_threshold

_REGISTER = 16  # float32 numbers in 64 bytes, a vector register and a cache line
# to turn a weight round makes a program larger, and takes as long as some steps: for an epoch of
# fewer steps, or of fewer multiplications in the layer, the rows stay as they are
_STEPS, _WORK = 8, 1e8
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


def _product(x: Any, w: Any) -> Any:
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


def arranged(
    net: Layer, transformation: Any, penalty: Any, params: Any, batch: int, steps: int
) -> tuple[Layer, Callable[[Any], Any]]:
    """`by_columns` of the first dense layer, where it pays and the optimizer and the penalty
    allow for it; else the network as it is."""
    path = first_dense(net)
    if path is not None and jax.default_backend() == "cpu" and any_shape(transformation, penalty):
        w = jax.tree.leaves(params)[_place(params, path)]
        (n_in, n_out), examples = w.shape, steps * batch
        long = steps >= _STEPS and examples * n_in * n_out >= _WORK
        if long and pays(n_in, n_out, batch):
            return by_columns(net, path, params)
    return net, lambda tree: tree


def by_columns(net: Layer, path: str, params: Any) -> tuple[Layer, Callable[[Any], Any]]:
    """(network, turn): the network with the dense layer at `path` as `Columns`, and what turns its
    weight round, there and back, in params and in every tree like them, such as the optimizer's.
    """
    structure, index = jax.tree.structure(params), _place(params, path)

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


def _place(params: Any, path: str) -> int:
    """Which of the leaves is the weight of the layer at that path."""
    return [keystr(place) for place, _ in tree_leaves_with_path(params)].index(f"{path}.w")


def first_dense(net: Layer) -> str | None:
    """The path of the first dense layer, if it stands in series with what is in front of it and is
    not by columns already."""
    found = next(_affine_in_series(net), None)
    return found[0] if found and type(found[1]) is Dense else None


def _affine_in_series(net: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    if isinstance(net, Serial):
        for i, layer in enumerate(net.layers):
            yield from _affine_in_series(layer, f"{path}[{i}]")
    elif type(net) in (Dense, Columns):
        yield path, net


def any_shape(transformation: Any, penalty: Any) -> bool:
    """Whether both take a weight number by number, or its norm, and so may get it turned round.

    Of transformations and penalties written elsewhere nobody knows.
    """
    if isinstance(transformation, Chain):
        return all(any_shape(t, penalty) for t in transformation.transforms)
    if isinstance(transformation, Averaged):
        return any_shape(transformation.optimizer, penalty)
    return type(transformation) in _ANY_SHAPE and type(penalty) in (Penalty, type(None))
