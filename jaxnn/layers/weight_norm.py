"""Weight normalisation: a weight as a length times a direction."""

from typing import Any

import jax.numpy as jnp

from jaxnn.core.composed import Across, Along, Tied, along
from jaxnn.core.factors import Factor
from jaxnn.core.layer import Layer, Read, check_layers
from jaxnn.core.parameters import Normed
from jaxnn.core.places import value_at, with_value
from jaxnn.core.refusals import check_record
from jaxnn.core.trees import over, wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree


class WeightNorm(Layer):
    """The layer with the length of its weight apart from the direction, for every output.

        w = scale u,   u = v / |v|,   |v| over all axes but the last
        dscale = <u, dw>,   dv = (scale / |v|) (dw - u dscale)

    `WeightNorm(Dense(n))`, or any layer with a weight w, or a kernel, whose last axis are its
    outputs. Parameters: `Normed(layer, scale)`, v being the w of `layer`; at first scale is |v|,
    and the layer starts as it does alone. Weight decay looks at v, whose length does not matter.
    Shapes, dx, residuals and errors are those of the layer; u, and products with it, are computed
    in float32 at least. Frozen, it is the layer with its w.

    An output whose v is 0 is nan. Raises TypeError for a layer without a w.
    `torch.nn.utils.parametrizations.weight_norm(layer)` is this for a linear layer: its original0
    is the scale, its original1, transposed, v; of a convolution the axes move as those of w do.
    Source: Salimans and Kingma 2016, eqs. 2 and 3.
    """

    layer: Layer
    """The layer with the weight."""

    def __post_init__(self) -> None:
        check_layers("WeightNorm", (self.layer,))

    def init(self, key: Key, x: Tree) -> Normed:
        params = self.layer.init(key, x)
        if "w" not in getattr(params, "_fields", ()):
            fields = getattr(params, "_fields", "none")
            raise TypeError(
                f"{self!r}: expected a layer with a weight w, got parameters {fields}; put "
                "WeightNorm around each layer with one, as in serial(WeightNorm(Dense(3)), relu)"
            )
        return Normed(params, _length(params.w).astype(params.w.dtype))

    def forward(self, params: Normed, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_record(self, params, Normed)
        return self.layer.forward(self._weighted(params), x, key)

    def backward(self, params: Normed, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        dx, found = self.layer.backward(self._weighted(params), residuals, dy, lambda f: f)
        dw, u = value_at(found, ".w"), _direction(params)
        dv = Across(dw, _gain(params), ((_gain(params) * u, u),))
        return dx, _read(read, found, dv, Along(dw, u))

    def begin(self, params: Normed, x: Tree) -> Tree:
        return self.layer.begin(self._weighted(params), x)

    def resume(
        self, params: Normed, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        return self.layer.resume(self._weighted(params), state, x, key)

    def push(self, params: Normed, residuals: Tree, vparams: Normed, vx: Tree) -> tuple[Tree, Tree]:
        u, (vu, _) = _direction(params), _turning(params, vparams)
        scale, vscale = params.scale.astype(u.dtype), vparams.scale.astype(u.dtype)
        moving = _with_weight(vparams.layer, vscale * u + scale * vu)
        vy, tangents = self.layer.push(self._weighted(params), residuals, moving, vx)
        return vy, (tangents, vparams)

    def bend(
        self, params: Normed, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        tangents, vparams = tangents
        weighted = self._weighted(params)
        _, still = self.layer.backward(weighted, residuals, dy, lambda f: f)
        dx, rdx, found = self.layer.bend(weighted, residuals, tangents, dy, rdy, lambda f: f)
        dw, rdw = value_at(still, ".w"), value_at(found, ".w")
        u, gain, (vu, vgain) = _direction(params), _gain(params), _turning(params, vparams)
        moving = Across(dw, vgain, ((vgain * u + gain * vu, u), (gain * u, vu)))
        rdv = Tied((Across(rdw, gain, ((gain * u, u),)), moving))
        return dx, rdx, _read(read, found, rdv, Tied((Along(rdw, u), Along(dw, vu))))

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals)

    def freeze(self, params: Normed, statistics: Tree) -> tuple[Any, Params]:
        return self.layer.freeze(self._weighted(params), statistics)

    def _weighted(self, params: Normed) -> Any:
        """The parameters of the layer, w in the place of v."""
        u = _direction(params)
        return _with_weight(params.layer, params.scale.astype(u.dtype) * u)


def _read(read: Read, found: Tree, dv: Factor, dscale: Factor) -> Normed:
    """The readings: those of v and of the scale, and of what else the layer has."""
    return Normed(over(Factor, read, with_value(found, ".w", dv)), read(dscale))


def _with_weight(layer: Any, w: Array) -> Any:
    return layer._replace(w=w.astype(layer.w.dtype))


def _length(v: Array) -> Array:
    """|v| of every output, (n_out,), at least in float32."""
    v = v.astype(wide_dtype(v))
    return jnp.sqrt(along(v, v))


def _direction(params: Normed) -> Array:
    v = params.layer.w
    return v.astype(wide_dtype(v)) / _length(v)


def _gain(params: Normed) -> Array:
    """scale / |v|."""
    length = _length(params.layer.w)
    return params.scale.astype(length.dtype) / length


def _turning(params: Normed, vparams: Normed) -> tuple[Array, Array]:
    """The tangents of u and of scale / |v|."""
    u, length = _direction(params), _length(params.layer.w)
    vv = vparams.layer.w.astype(u.dtype)
    forth = along(u, vv)
    vgain = (vparams.scale.astype(u.dtype) - _gain(params) * forth) / length
    return (vv - u * forth) / length, vgain
