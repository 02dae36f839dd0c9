"""n equal layers as one: a loop in the program in place of n copies of its code."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import lax

import jaxnn.fast.draws as draws
from jaxnn.core.inputs import described, entries, main_of
from jaxnn.core.layer import Layer, Read, check_layers
from jaxnn.core.leaves import Route, without
from jaxnn.core.notes import stacked
from jaxnn.core.ranges import Count
from jaxnn.core.reader import inside
from jaxnn.core.refusals import check_floating, is_concrete
from jaxnn.core.types import Key, Params, Tree


class Repeat(Layer):
    """n equal layers one after the other, each with parameters of its own: one scan up, one down.

        x_(i+1) = layer(params_i, x_i)

    Computes what `serial(layer, ..., layer)` does, and draws the same from the same key, but the
    program does not grow with n. Parameters are those of the layer, each with a new first axis of
    length n. Shapes: x and y as for the layer, which keeps shape and dtype.

    Of several inputs (main, *others), those that the layer only passes on are no part of the scan:
    they are kept once, and their errors add up over the layers.

    Residuals: those of the layer, with a first axis of n. What a layer keeps of its x or y is
    stored once for all: y_i is x_(i+1). A reading that says what it is of n layers, see
    `jaxnn.readings`, is read inside the scan down, so that no factor outlives its layer; of any
    other the scan leaves the factors of all, and `read` gets them behind it, `Stacked`. To what
    looks at a whole parameter or record n layers are one: a `Repeat` has one squared norm of w, one
    bound in `clipped(..., "per_layer")`, one row in `summary`, and one error of its own under
    `DirectFeedbackAlignment`. `kronecker` has factors for each layer, with a first axis of n.

    Raises ValueError for an n that is no whole number >= 1, a layer that changes the shape or dtype
    of x, and parameters of another n; TypeError for a main entry that is not floating point.
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
        check_floating(self, main_of(x))
        if key is not None and not is_concrete(key):
            return lax.map(lambda k: self.layer.init(k, x), self._split(key))
        keys = [None] * self.n if key is None else draws.split(key, self.n)
        params = [self.layer.init(k, x) for k in keys]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        def up(params: Params, state: Tree, x: Tree, key: Key) -> tuple[Tree, Tree, Tree]:
            return *self.layer.forward(params, x, key), state

        return self._up(up, params, (), x, key)[:2]

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        def back(layer: Any, residuals: Tree, dy: Tree, read: Read) -> tuple[Any, Any]:
            return self.layer.backward(layer[0], residuals, dy, read)

        return self._down(back, (params,), residuals, dy, read)

    def begin(self, params: Params, x: Tree) -> Tree:
        """That of the layer, with a first axis of n."""
        self._check_params(params)
        return jax.vmap(lambda p: self.layer.begin(p, x), axis_size=self.n)(params)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        return self._up(self.layer.resume, params, state, x, key)

    def _up(
        self, up: Callable[..., Any], params: Params, state: Tree, x: Tree, key: Key
    ) -> tuple[Tree, Tree, Tree]:
        """(y, residuals, state) of all layers, given up(params, state, x, key) of one."""
        check_floating(self, main_of(x))
        self._check_params(params)

        layers = params, state, self._split(key)
        route = self._route(up, layers, x)
        moving, passing = route.split(x)

        def step(moving: list[Any], layer: Any) -> tuple[Any, Any]:
            p, s, k = layer
            x = route.join(moving, passing)
            y, residuals, s = up(p, s, x, k)
            self._check_output(x, y)
            moved, _ = route.split(y)
            rest = without(residuals, (*moving, *moved, *passing))
            return moved, (_if(rest.needs(0, 2 * len(moving)), moving), rest, s)

        moved, (xs, rest, state) = lax.scan(step, moving, layers, length=self.n)
        y, n = route.join(moved, passing), 2 * len(moving)
        last = _if(rest.needs(0, n), moved), _if(rest.needs(n, n + len(passing)), passing)
        return y, (xs, *last, rest), state

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        each, whole = self._each(residuals)
        layers = params, each, vparams

        def step(vx: Tree, layer: Any) -> tuple[Any, Any]:
            p, r, vp = layer
            return self.layer.push(p, whole(r), vp, vx)

        return lax.scan(step, _all_moving(step, vx, layers), layers, length=self.n)

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
        xs, y, passing, rest = residuals
        each, stack = inside(read)

        def step(carry: Tree, layer: Any) -> tuple[Any, Any]:
            errors, y = carry
            _, x, rest = layer
            errors, readings = back(layer[0], rest.whole((*x, *y, *passing)), errors, each)
            return (errors, x), without(readings, (*jax.tree.leaves(layer), *passing))

        layers = layers, xs, rest
        (errors, _), found = lax.scan(step, (errors, y), layers, length=self.n, reverse=True)
        known = (
            *jax.tree.leaves(layers),
            *(_of_each(p, self.n) for p in passing),
        )
        return errors, stacked(stack(found.whole(known)), self.n)

    def observe(self, residuals: Tree) -> Any:
        each, whole = self._each(residuals)
        found = jax.vmap(lambda r: self.layer.observe(whole(r)), axis_size=self.n)(each)
        return stacked(found, self.n)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        freeze = jax.vmap(self.layer.freeze, axis_size=self.n)
        layer, params = freeze(params, statistics)
        return Repeat(layer, self.n), params

    def _split(self, key: Key) -> Any:
        return None if key is None else jax.random.split(key, self.n)

    def _route(self, up: Callable[..., Any], layers: Any, x: Tree) -> "Route":
        """Which entries the layer passes on: those of y that are the very arrays of x. One array
        alone is none of them."""
        leaves, structure = jax.tree.flatten(x)
        moves = [True] * len(leaves)

        def look(layer: Any, x: Tree) -> None:
            y, _, _ = up(*layer[:2], x, layer[2])
            self._check_output(x, y)
            pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y), strict=True)
            moves[1:] = [a is not b for a, b in pairs][1:]

        if len(leaves) > 1:
            jax.eval_shape(look, jax.tree.map(lambda leaf: leaf[0], layers), x)
        return Route(tuple(moves), structure)

    def _each(self, residuals: Tree) -> tuple[Any, Callable[[Any], Any]]:
        """What the layers keep, with a first axis of n, and what makes residuals of that of one."""
        xs, y, passing, rest = residuals
        ys = jax.tree.map(lambda xs, y: jnp.concatenate([xs[1:], y[None]]), xs, y)
        return (xs, ys, rest), lambda one: one[2].whole((*one[0], *one[1], *passing))

    def _check_params(self, params: Params) -> None:
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            if leaf.shape[:1] != (self.n,):
                raise ValueError(
                    f"{self!r}: expected parameters with a first axis of {self.n}, one entry for "
                    f"each layer, got {jax.tree_util.keystr(path)} of shape {leaf.shape}; take "
                    "them from init of this very network"
                )

    def _check_output(self, x: Tree, y: Tree) -> None:
        before, behind = jax.tree.flatten(x), jax.tree.flatten(y)
        pairs = zip(before[0], behind[0], strict=False)  # of structures that are compared below
        kept = [(a.shape, a.dtype) == (b.shape, b.dtype) for a, b in pairs]
        if before[1] != behind[1] or not all(kept):
            raise ValueError(
                f"{self!r}: expected a layer that keeps shape and dtype of x, {described(x)}, got "
                f"{described(y)}; give it {main_of(x).shape[-1]} outputs, and put a first layer of "
                "another width in front"
            )


def _if(needed: bool, arrays: list[Any]) -> list[Any]:
    """The arrays, or None in the place of each."""
    return arrays if needed else [None] * len(arrays)


def _of_each(array: Any, n: int) -> Any:
    return None if array is None else jnp.broadcast_to(array, (n, *array.shape))


def _all_moving(step: Callable[..., Any], vx: Tree, layers: Any) -> Any:
    """vx with zeros for what stays put in front of the first layer and moves behind it."""
    first = jax.tree.map(lambda leaf: leaf[0], layers)
    while not isinstance(vx, jax.Array):
        filled = _filled(vx, jax.eval_shape(step, vx, first)[0])
        if jax.tree.structure(filled) == jax.tree.structure(vx):
            break
        vx = filled
    return vx


def _filled(v: Tree, like: Tree) -> Any:
    if isinstance(like, tuple):
        return tuple(map(_filled, entries(v, len(like)), like))
    return jnp.zeros(like.shape, like.dtype) if v is None and like is not None else v
