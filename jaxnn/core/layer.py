"""The contract: what a layer is. A network is a layer too.

    init(key, x)                           -> params
    forward(params, x, key=None)           -> (y, residuals)
    backward(params, residuals, dy, read)  -> (dx, readings)
    turn(params, x, aim, read, key=None)   -> (values, dx, readings, observed)    all of it in one
    begin(params, x)                       -> state
    resume(params, state, x, key=None)     -> (y, residuals, state)    forward, from that state on

The batch is the first axis, features are the last, and a parameter is summed over all axes in
front of its own. `backward` is linear in dy. It returns dx, shaped and typed like x, and the
readings: the structure of params, with `read(factor)` where a parameter was. The factor holds what
the parameter's gradient is made of; `read` decides what becomes of it, see `jaxnn.readings`.

x and y are an array each, or a tuple of arrays (main, *others) that all have the batch first, see
`jaxnn.layers.routing`; dx and dy are shaped alike. Integers have no derivative: in its place stands
None. An entry that y does not depend on has zeros.

Residuals are a pytree of arrays, the least that makes `backward` cheap. A shape that backward
needs travels in a `Shape`, because a plain tuple of ints would turn into arrays between two jits.

A sequence may come in parts: `begin` says what a layer knows before the first, `resume` goes
forward from what it knew behind the part before. `backward` takes these residuals like any others,
and the state for a constant. So a layer that keeps nothing between positions has nothing to write.

Two more methods say how both sweeps change when the parameters and x move, for products with the
Hessian (`jaxnn.curvature`). A layer does without them until somebody asks for such a product:

    push(params, residuals, vparams, vx)                -> (vy, tangents)      as forward
    bend(params, residuals, tangents, dy, rdy, read)    -> (dx, rdx, readings) as backward

A tangent, the derivative along that motion, is called `v` + name; that of something that runs
backward is called `r` + name, for Pearlmutter's R. None stands for the tangent of what stays put,
one None for a whole tuple.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import jax

from jaxnn.core.notes import seen
from jaxnn.core.refusals import dtype_of
from jaxnn.core.types import Aim, Array, Key, Params, Tree
from jaxnn.core.values import Static

Read = Callable[[Any], Any]


class Layer(Static):
    """Base of all layers: an immutable value of hyperparameters. Parameters live outside.

    A subclass declares its hyperparameters as fields and writes `forward` and `backward`, and
    `init` if it has parameters. Set `mixes_examples` where y[n] depends on other rows than x[n],
    `mixes_positions` where y[n, t] depends on other positions inside the example than x[n, t],
    `turns` where its `turn` goes through the loss part by part, and `curved = False` where y is
    piecewise linear in x for fixed parameters, and in the parameters for a fixed x.
    """

    mixes_examples: ClassVar[bool] = False
    mixes_positions: ClassVar[bool] = False
    turns: ClassVar[bool] = False
    curved: ClassVar[bool] = True

    def init(self, key: Key, x: Tree) -> Params:
        """Parameters for inputs like x, of which only .shape and .dtype are used."""
        del key, x
        return ()

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        """The output and the residuals that `backward` needs."""
        raise NotImplementedError(f"write {type(self).__name__}.forward(self, params, x, key=None)")

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        """The derivative by x, given that by y, and the readings of the parameters."""
        raise NotImplementedError(
            f"write {type(self).__name__}.backward(self, params, residuals, dy, read)"
        )

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        """(values, dx, readings, observed): forward, through the loss and back, in one.

        `aim(y)` gives (values, dy), the losses and their derivative. The arrays in it lie along the
        first axes of y, so that a layer which goes through the loss part by part cuts it as y is.
        """
        y, residuals = self.forward(params, x, key)
        values, dy = aim(y)
        dx, readings = self.backward(params, residuals, dy, read)
        return values, dx, readings, self.observe(residuals)

    def begin(self, params: Params, x: Tree) -> Tree:
        """The state in front of the first part of sequences like x (batch, time, ...): only .shape
        and .dtype of x are used. Each array in it has an axis for the examples.

        Raises TypeError where positions are mixed and nothing says how to go on.
        """
        del params, x
        mixing = _mixing(self)
        if mixing is not None and type(self).resume is Layer.resume:
            inside = "" if mixing is self else f", which holds {mixing!r}"
            raise TypeError(
                f"{self!r}{inside}: expected a layer that takes each position by itself, or has "
                f"`resume`, got one that mixes positions; write {type(self).__name__}.begin(self, "
                "params, x) and .resume(self, params, state, x, key=None), or freeze the network "
                "first if this is batch-norm"
            )
        return ()

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        """(y, residuals, state): `forward` of the next part, of any number of positions."""
        y, residuals = self.forward(params, x, key)
        return y, residuals, state

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        """The tangent of y, given those of params and x, and the tangents that `bend` needs."""
        if vx is None and not jax.tree.leaves(params):
            return None, None
        raise TypeError(
            f"{self!r}: expected a layer with `push`, got one without; write "
            f"{type(self).__name__}.push(self, params, residuals, vparams, vx), or leave tangents "
            "out: compare backprop at params + h v and params - h v, or take ggn_diagonal or kflr"
        )

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        """What `backward` returns as dx, and the tangents of what it returns: (dx, rdx, readings).

        `read` gets the tangent of each factor, such as `Tied` of the factors with one part moved.
        A layer that is not curved and has no parameters has nothing to add.
        """
        if self.curved or jax.tree.leaves(params):
            raise TypeError(
                f"{self!r}: expected a layer with `bend`, got one without; write "
                f"{type(self).__name__}.bend(self, params, residuals, tangents, dy, rdy, read), "
                "or take gnvp, the product with the Gauss-Newton matrix, which does not need it"
            )
        dx, readings = self.backward(params, residuals, dy, read)
        rdx, _ = self.backward(params, residuals, rdy, read)
        return dx, rdx, readings

    def observe(self, residuals: Tree) -> Any:
        """Statistics of this mini-batch that inference will need, found among the residuals; and
        the notes there, where the layers inside are watched."""
        return tuple(seen(residuals))

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        """(layer, params) for inference, given averages of what `observe` returned."""
        del statistics
        return self, params


class Shape(Static):
    """A shape among residuals: structure, so that it stays a tuple of ints between two jits."""

    dims: tuple[int, ...]


def shape_like(x: Tree) -> Any:
    """The shape of x in the dtype that JAX computes with: of a shape in another, JAX complains."""
    return jax.tree.map(lambda entry: jax.ShapeDtypeStruct(entry.shape, dtype_of(entry)), x)


def two_rows(x: Tree) -> Any:
    """The shape of x with a batch of two, enough for a layer that takes means over it."""

    def two(entry: Array) -> Any:
        shape = (2, *entry.shape[1:])
        return jax.ShapeDtypeStruct(shape, dtype_of(entry)) if entry.shape else entry

    return jax.tree.map(two, x)


def output_like(layer: Layer, params: Params, x: Tree, key: Key = None) -> Any:
    """Shape and dtype of the output, found by running `forward` without computing anything."""
    return jax.eval_shape(layer.forward, params, x, key)[0]


def resumed_like(layer: Layer, params: Params, x: Tree) -> Any:
    """`output_like` where there is no key at hand: `begin` has none."""
    return jax.eval_shape(lambda p, x: layer.forward(p, x, jax.random.key(0))[0], params, x)


def outputs_like(net: Layer, x: Any) -> Any:
    """Shape and dtype of the outputs for inputs like x, before there are parameters."""

    def outputs(x: Any) -> Any:
        key = jax.random.key(0)
        return net.forward(net.init(key, x), x, key)[0]

    return jax.eval_shape(outputs, x)


def _mixing(layer: Layer) -> Layer | None:
    """The first layer that mixes positions, of this one and those inside."""
    values = (v if isinstance(v, tuple) else (v,) for v in vars(layer).values())
    inner = (_mixing(one) for some in values for one in some if isinstance(one, Layer))
    return layer if layer.mixes_positions else next(filter(None, inner), None)


def check_network(net: Any) -> None:
    """Refuse what is no layer in the place of a network: a class, a function, a name."""
    if not isinstance(net, Layer):
        hint = f"; write {net.__name__}(...), with its sizes" if isinstance(net, type) else ""
        raise TypeError(
            f"expected a network, which is a layer, such as serial(Dense(30), relu, Dense(10)), "
            f"got {net!r}{hint}"
        )


def check_layers(name: str, layers: Any) -> None:
    """Refuse what is no tuple of one or more layers."""
    if not isinstance(layers, tuple) or not layers:
        raise TypeError(f"{name}: expected a tuple of one or more layers, got {layers!r}")
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(
                f"{name}: expected a layer at [{i}], got {layer!r}; a layer is a value, such as "
                "Dense(30) or relu, of a subclass of jaxnn.Layer"
            )
