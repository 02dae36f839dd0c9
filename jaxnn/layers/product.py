"""Layers side by side, on the same input, multiplied."""

from functools import reduce
from typing import Any

import jax.numpy as jnp

from jaxnn.core.layer import Read
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.parallel import Branches


class Product(Branches):
    """Several layers on the same input, multiplied entry by entry.

        y = prod_i y_i,   y_i = layer_i(x),   dy_i = dy prod_(j != i) y_j

    An axis of length 1 stands for all entries of the others' axis there, and dy_i is then summed
    over it: `Product((linear, gate))` weighs x by a gate for each channel, one for each position,
    or one for each number. Parameters, residuals and readings are tuples with an entry for each
    layer; backward sums their dx. Residuals: theirs, and the y_i. Where x and the parameters move,

        vy = sum_i vy_i prod_(j != i) y_j
        rdy_i = rdy prod_(j != i) y_j + dy sum_(k != i) vy_k prod_(j != i, k) y_j

    Raises ValueError if the outputs do not fit together, TypeError for one that is a tuple.
    """

    curved = True

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        ys, residuals = self._outputs(params, x, key)
        ys = [jnp.asarray(y) for y in ys]
        return self._multiplied(ys), tuple(zip(residuals, ys, strict=True))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        ys = [y for _, y in residuals]
        errors = [_summed(jnp.asarray(dy) * _product(ys, i), y) for i, y in enumerate(ys)]
        return self._pulled(params, [r for r, _ in residuals], errors, read)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        ys, residuals, states = self._resumed(params, state, x, key)
        return self._multiplied(ys), tuple(zip(residuals, ys, strict=True)), states

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        ys = [y for _, y in residuals]
        vys, tangents = self._pushed(params, [r for r, _ in residuals], vparams, vx)
        moving = [vy * _product(ys, i) for i, vy in enumerate(vys) if vy is not None]
        return reduce(jnp.add, moving) if moving else None, tuple(zip(tangents, vys, strict=True))

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        ys, vys = [y for _, y in residuals], [vy for _, vy in tangents]
        errors = []
        for i, y in enumerate(ys):
            d, rd = dy * _product(ys, i), rdy * _product(ys, i)
            for k, vy in enumerate(vys):
                if k != i and vy is not None:
                    rd = rd + dy * vy * _product(ys, i, k)
            errors.append((_summed(d, y), _summed(rd, y)))
        kept = [(r, t) for (r, _), (t, _) in zip(residuals, tangents, strict=True)]
        return self._bent(params, kept, errors, read)

    def _multiplied(self, ys: list[Any]) -> Array:
        shapes = [y.shape for y in ys]
        ranks = {len(shape) for shape in shapes}
        if len(ranks) > 1 or any(len({*sizes} - {1}) > 1 for sizes in zip(*shapes, strict=False)):
            raise ValueError(
                f"{self!r}: expected outputs of equal shapes, but for axes of length 1, to "
                f"multiply, got {shapes}; keep pooled axes with GlobalAvgPool(keepdims=True)"
            )
        return reduce(jnp.multiply, ys)


def _product(ys: list[Array], *but: int) -> Any:
    """The product of all outputs but some; 1 where none is left."""
    others = [y for j, y in enumerate(ys) if j not in but]
    return reduce(jnp.multiply, others) if others else 1


def _summed(d: Array, y: Array) -> Array:
    """d with the shape of y, summed over the axes along which y is one for all."""
    axes = [a for a, (n, m) in enumerate(zip(d.shape, y.shape, strict=True)) if n != m]
    total = d.sum(tuple(axes), dtype=wide_dtype(d), keepdims=True) if axes else d
    return total.astype(y.dtype)
