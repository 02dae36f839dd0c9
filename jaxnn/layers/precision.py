"""Mixed precision: parameters in one floating dtype, what is computed with them in another."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from jaxnn.core.inputs import entries, main_of
from jaxnn.core.layer import Layer, Read, check_layers
from jaxnn.core.reader import as_reader
from jaxnn.core.refusals import float_dtype
from jaxnn.core.trees import cast
from jaxnn.core.types import Aim, Key, Params, Tree
from jaxnn.core.values import Pytree, Static
from jaxnn.core.walk import map_innermost

_DTYPES = ("bfloat16", "float16", "float32", "float64")


class MixedPrecision(Layer):
    """A network that computes in `dtype`; outside of it nothing changes.

        y = up(layer(down(params), down(x))),    dx = up(backward(down(dy)))

    `down` converts to `dtype` and `up` back again, both with the derivative 1. Parameters keep the
    dtype that `init` gave them, float32 as a rule, so that small updates are not rounded away. y is
    typed like the parameters, which gives a loss float32 outputs, and dx like x. Integers are not
    converted; `Pixels`, `OneHot` and others with a field `dtype` make numbers of `dtype` of them.

    Activations and errors are in `dtype`: in bfloat16 the residuals take half the memory. Factors
    stay as they are, so all products are of numbers of `dtype`; those of gradients add up in the
    dtype of the parameters, and readings that square are taken in float32 at least. Where examples
    have weights of their own, weight times error is rounded once more. bfloat16 keeps 8 bits of
    precision and the range of float32, so errors need no scale. float16 keeps 11, but ends at 65504
    and loses what is below 6e-8: train it with `LossScaled(optimizer)`. Both are meant for
    accelerators: XLA on a CPU multiplies in float32, and takes more time and memory for it.

    Batch-norm takes its moments in float32, and so are running statistics. Frozen, it is the frozen
    network in the same `dtype`. Shapes, residuals and other errors are those of the layer. Raises
    ValueError for a dtype of another name.
    Source: Micikevicius et al. 2018, section 3.1; bfloat16: Kalamkar et al. 2019.
    """

    layer: Layer
    """What computes in it."""
    dtype: Literal["bfloat16", "float16", "float32", "float64"] = "bfloat16"
    """Floating-point dtype of what is computed."""
    curved = False

    def __post_init__(self) -> None:
        check_layers("MixedPrecision", (self.layer,))
        if self.dtype not in _DTYPES:
            raise ValueError(
                f"MixedPrecision: expected a dtype of {_DTYPES}, got {self.dtype!r}; give its name"
            )

    def init(self, key: Key, x: Tree) -> Params:
        return self.layer.init(key, x)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self._inside().forward(self._down(params), self._down(x), key)
        return cast(y, _outside(params, x)), (residuals, _dtypes(x))

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        residuals, of_x = residuals
        up = as_reader(read).after(lambda factor: factor.summed_in(main_of(dy).dtype))
        params, down = self._down(params), self._down(dy)
        dx, readings = self._inside().backward(params, residuals, down, up)
        return _like(dx, of_x), readings

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        outside = _outside(params, x)
        up = as_reader(read).after(lambda factor: factor.summed_in(outside))
        to = _Between(aim, _Dtype(outside), _Dtype(canonicalize_dtype(self.dtype)))
        values, dx, readings, observed = self._inside().turn(
            self._down(params), self._down(x), to, up, key
        )
        return values, _like(dx, _dtypes(x)), readings, observed

    def begin(self, params: Params, x: Tree) -> Tree:
        """That of the layer for inputs of `dtype`."""
        return self._inside().begin(self._down(params), jax.eval_shape(self._down, x))

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        given = self._down(params), state, self._down(x)
        y, residuals, state = self._inside().resume(*given, key)
        return cast(y, _outside(params, x)), (residuals, _dtypes(x)), state

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        residuals, of_x = residuals
        down, vparams, vx = map(self._down, (params, vparams, vx))
        vy, tangents = self._inside().push(down, residuals, vparams, vx)
        return cast(vy, _outside(params, of_x)), tangents

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        residuals, of_x = residuals
        up = as_reader(read).after(lambda factor: factor.summed_in(main_of(dy).dtype))
        params, down, rdown = map(self._down, (params, dy, rdy))
        dx, rdx, readings = self._inside().bend(params, residuals, tangents, down, rdown, up)
        return _like(dx, of_x), _like(rdx, of_x), readings

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals[0])

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        layer, params = self.layer.freeze(params, statistics)
        return self.replace(layer=layer), params

    def _down(self, tree: Tree) -> Any:
        return cast(tree, canonicalize_dtype(self.dtype))

    def _inside(self) -> Layer:
        """The layer, with those in it that make numbers of integers making numbers of `dtype`."""

        def change(path: str, layer: Layer) -> Layer:
            return layer.replace(dtype=self.dtype) if hasattr(layer, "dtype") else layer

        return map_innermost(change, self.layer)


class _Dtype(Static):
    """A dtype among residuals."""

    dtype: Any


def _dtypes(x: Tree) -> Any:
    """The dtype of every entry, as structure."""
    return jax.tree.map(lambda entry: _Dtype(entry.dtype), x)


class _Between(Pytree):
    """The loss as seen from inside: outputs go up to it, errors come down."""

    aim: Any
    outside: _Dtype
    inside: _Dtype

    def __call__(self, y: Tree) -> tuple[Tree, Tree]:
        values, dy = self.aim(cast(y, self.outside.dtype))
        return values, cast(dy, self.inside.dtype)


def _like(dx: Tree, of_x: Tree) -> Any:
    """dx with the dtypes of x, entry by entry."""
    if isinstance(of_x, tuple):
        return tuple(map(_like, entries(dx, len(of_x)), of_x))
    return cast(dx, of_x.dtype)


def _outside(params: Params, x: Tree) -> Any:
    """The dtype of outputs: that of the parameters, else of the main x, else JAX's default."""
    floating = (p for p in jax.tree.leaves(params) if jnp.issubdtype(p.dtype, jnp.floating))
    return float_dtype(next(floating, main_of(x)))
