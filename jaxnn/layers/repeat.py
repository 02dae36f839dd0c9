"""n equal layers as one: a loop in the program in place of n copies of its code."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import lax

import jaxnn.fast.draws as draws
from jaxnn.core.layer import Layer, Read, check_layers
from jaxnn.core.notes import stacked
from jaxnn.core.ranges import Count
from jaxnn.core.reader import inside
from jaxnn.core.refusals import check_floating, is_concrete
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.values import Pytree, static


class Repeat(Layer):
    """n equal layers one after the other, each with parameters of its own: one scan up, one down.

        x_(i+1) = layer(params_i, x_i)

    Computes what `serial(layer, ..., layer)` does, and draws the same from the same key, but the
    program does not grow with n. Parameters are those of the layer, each with a new first axis of
    length n. Shapes: x and y as for the layer, which keeps shape and dtype.

    Residuals: those of the layer, with a first axis of n. What a layer keeps of its x or y is
    stored once for all: y_i is x_(i+1). A reading that says what it is of n layers, see
    `jaxnn.readings`, is read inside the scan down, so that no factor outlives its layer; of any
    other the scan leaves the factors of all, and `read` gets them behind it, `Stacked`. To what
    looks at a whole parameter or record n layers are one: a `Repeat` has one squared norm of w, one
    bound in `clipped(..., "per_layer")`, one row in `summary`, and one error of its own under
    `DirectFeedbackAlignment`. `kronecker` has factors for each layer, with a first axis of n.

    Raises ValueError for an n that is no whole number >= 1, a layer that changes the shape or dtype
    of x, and parameters of another n; TypeError for an x that is not floating point.
    """

    layer: Layer
    """What is repeated; it keeps the shape."""
    n: Annotated[int, Count]
    """How many times."""
    curved = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_layers("Repeat", (self.layer,))

    def init(self, key: Key, x: Tree) -> Params:
        check_floating(self, x)
        if key is not None and not is_concrete(key):
            return lax.map(lambda k: self.layer.init(k, x), self._split(key))
        keys = [None] * self.n if key is None else draws.split(key, self.n)
        params = [self.layer.init(k, x) for k in keys]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        self._check_params(params)

        def step(x: Tree, layer: Any) -> tuple[Any, Any]:
            p, k = layer
            y, residuals = self.layer.forward(p, x, k)
            self._check_output(x, y)
            rest = _without(residuals, (x, y))
            return y, (x if rest.needs(2) else None, rest)

        y, (xs, rest) = lax.scan(step, x, (params, self._split(key)), length=self.n)
        return y, (xs, None if xs is None else y, rest)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        def back(layer: Any, residuals: Tree, dy: Tree, read: Read) -> tuple[Any, Any]:
            return self.layer.backward(layer[0], residuals, dy, read)

        return self._down(back, (params,), residuals, dy, read)

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        layers = params, self._each(residuals), vparams

        def step(vx: Tree, layer: Any) -> tuple[Any, Any]:
            p, r, vp = layer
            return self.layer.push(p, r, vp, vx)

        if vx is None:  # it moves from the second layer on
            first = jax.tree.map(lambda leaf: leaf[0], layers)
            vy = jax.eval_shape(step, None, first)[0]
            vx = None if vy is None else jnp.zeros(vy.shape, vy.dtype)
        return lax.scan(step, vx, layers, length=self.n)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        def back(layer: Any, residuals: Tree, errors: Tree, read: Read) -> tuple[Any, Any]:
            (p, t), (dy, rdy) = layer, errors
            dx, rdx, readings = self.layer.bend(p, residuals, t, dy, rdy, read)
            return (dx, rdx), readings

        (dx, rdx), readings = self._down(back, (params, tangents), residuals, (dy, rdy), read)
        return dx, rdx, readings

    def _down(
        self, back: Callable[..., Any], layers: Any, residuals: Tree, errors: Tree, read: Read
    ) -> tuple[Any, Any]:
        """(errors, readings) = back(layer, residuals, errors, read) from the last layer to the
        first, and the readings of all as those of one."""
        xs, y, rest = residuals
        each, stack = inside(read)

        def step(carry: Tree, layer: Any) -> tuple[Any, Any]:
            errors, y = carry
            _, x, rest = layer
            errors, readings = back(layer[0], rest.whole((x, y)), errors, each)
            return (errors, x), _without(readings, jax.tree.leaves(layer))

        layers = layers, xs, rest
        (errors, _), found = lax.scan(step, (errors, y), layers, length=self.n, reverse=True)
        return errors, stacked(stack(found.whole(jax.tree.leaves(layers))), self.n)

    def observe(self, residuals: Tree) -> Any:
        found = jax.vmap(self.layer.observe, axis_size=self.n)(self._each(residuals))
        return stacked(found, self.n)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        freeze = jax.vmap(self.layer.freeze, axis_size=self.n)
        layer, params = freeze(params, statistics)
        return Repeat(layer, self.n), params

    def _split(self, key: Key) -> Any:
        return None if key is None else jax.random.split(key, self.n)

    def _each(self, residuals: Tree) -> Any:
        """The residuals of the layer, with a first axis of n."""
        xs, y, rest = residuals
        return rest.whole((xs, None if xs is None else jnp.concatenate([xs[1:], y[None]])))

    def _check_params(self, params: Params) -> None:
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            if leaf.shape[:1] != (self.n,):
                raise ValueError(
                    f"{self!r}: expected parameters with a first axis of {self.n}, one entry for "
                    f"each layer, got {jax.tree_util.keystr(path)} of shape {leaf.shape}; take "
                    "them from init of this very network"
                )

    def _check_output(self, x: Tree, y: Tree) -> None:
        if (y.shape, y.dtype) != (x.shape, x.dtype):
            raise ValueError(
                f"{self!r}: expected a layer that keeps shape and dtype of x, {x.shape} "
                f"{x.dtype}, got {y.shape} {y.dtype}; give it {x.shape[-1]} outputs, and put a "
                "first layer of another width in front"
            )


class _Rest(Pytree):
    """A tree without the arrays that are known from elsewhere: where each leaf is found, in those
    and `others` together."""

    others: tuple[Any, ...]
    places: tuple[int, ...] = static()
    structure: Any = static()

    def needs(self, n: int) -> bool:
        """Whether one of the first n known arrays is a leaf."""
        return any(place < n for place in self.places)

    def whole(self, known: Sequence[Any]) -> Any:
        """The tree again."""
        arrays = (*known, *self.others)
        return self.structure.unflatten(arrays[place] for place in self.places)


def _without(tree: Tree, known: Sequence[Any]) -> _Rest:
    """The tree without these very arrays, and with those that it holds twice only once."""
    leaves, structure = jax.tree.flatten(tree)
    arrays = list(known)
    for leaf in leaves:
        if not any(leaf is array for array in arrays):
            arrays.append(leaf)
    index = {id(array): place for place, array in reversed(list(enumerate(arrays)))}
    places = tuple(index[id(leaf)] for leaf in leaves)
    return _Rest(tuple(arrays[len(known) :]), places, structure)
