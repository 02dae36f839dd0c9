"""The base of all normalisations: forward and backward, once for all of them."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Tied
from jaxnn.core.factors import Factor, Scaled, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import ScaleShift
from jaxnn.core.reader import Reader
from jaxnn.core.refusals import check_features, check_record, dtype_of
from jaxnn.core.summed import Cut, Step, summed
from jaxnn.core.trees import added, cast, wide_dtype
from jaxnn.core.types import Array, Key, Params, Tree
from jaxnn.layers.normalising import Rule, bent, pushed

PARTS = 4  # fewer are not worth a scan


class Normalisation(Layer):
    """Base of all normalisations: a subclass has its hyperparameters, and says its `rule`."""

    def rule(self, x: Tree) -> Rule:
        """What it does to inputs like x. Raises ValueError for those that do not fit."""
        raise NotImplementedError(f"write {type(self).__name__}.rule(self, x)")

    def init(self, key: Key, x: Tree) -> Params:
        check_features(self, x)
        rule, n, dtype = self.rule(x), x.shape[-1], dtype_of(x)
        if not (rule.scale or rule.shift):
            return ()
        scale = jnp.ones(n, dtype) if rule.scale else None
        return ScaleShift(scale, jnp.zeros(n, dtype) if rule.shift else None)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_features(self, x)
        rule = self.rule(x)
        learned = self._learned(params, rule, x)
        x = jnp.asarray(x)
        moments = rule.moments(rule.split(x.astype(wide_dtype(x))))
        xhat, _ = rule.standardised(x, moments)
        scale, shift = cast(learned, xhat.dtype)
        y = xhat.reshape(x.shape)
        y = y if scale is None else scale * y
        y = y if shift is None else y + shift
        return y.astype(jnp.result_type(x, *jax.tree.leaves(params))), (x, moments)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x, rule = residuals[0], self.rule(residuals[0])
        cut = _cut(rule, x)
        if cut is None:
            return _back(rule, params, residuals, dy, read)

        def step(length: int) -> Step:
            def back(dx: Array, start: Array, read: Reader) -> tuple[Array, None, Tree]:
                if cut.axis == 0 and read.rows is not None:
                    read = read.rows(start + jnp.arange(length))
                part, d = cut((residuals, dy), start, length)
                some, readings = _back(rule, params, part, d, read)
                return cut.put(dx, some, start), None, readings

            return back

        dx, _, readings = summed(read, cut.groups(step), jnp.zeros_like(x), axis=cut.axis)
        return dx, readings

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        x, moments = residuals
        rule = self.rule(x)
        xhat, s = rule.standardised(x, moments)
        wide = None if vx is None else rule.split(vx.astype(s.dtype))
        vxhat, vs = pushed(rule, xhat, s, wide)
        scale, _ = cast(params, s.dtype) or (None, None)
        vscale, vshift = cast(vparams, s.dtype) or (None, None)
        vy = None if vxhat is None else vxhat.reshape(x.shape)
        vy = vy if scale is None or vy is None else scale * vy
        if vscale is not None:
            vy = added(vy, vscale * xhat.reshape(x.shape))
        if vshift is not None:
            vy = jnp.broadcast_to(added(vy, vshift), x.shape)
        return None if vy is None else vy.astype(x.dtype), (vxhat, vs, vscale)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        (x, moments), (vxhat, vs, vscale) = residuals, tangents
        rule = self.rule(x)
        xhat, s = rule.standardised(x, moments)
        scale, shift = params or (None, None)
        flat = None if vxhat is None else vxhat.reshape(x.shape)
        readings = params and ScaleShift(
            None if scale is None else read(moved(xhat.reshape(x.shape), flat, dy, rdy)),
            None if shift is None else read(Sum(rdy)),
        )
        d, rd = (a.astype(s.dtype) for a in (dy, rdy))
        if scale is not None:
            wide = scale.astype(s.dtype)
            d, rd = wide * d, wide * rd + vscale * d
        found = bent(rule, xhat, s, (vxhat, vs), rule.split(d), rule.split(rd))
        dx, rdx = (a.reshape(x.shape).astype(x.dtype) for a in found)
        return dx, rdx, readings

    def _learned(self, params: Params, rule: Rule, x: Tree) -> tuple[Any, Any]:
        """(scale, shift) of parameters that fit; None for one that is not learned."""
        if params == () and not (rule.scale or rule.shift):
            return None, None
        check_record(self, params, ScaleShift)
        n = next((p.shape[-1] for p in params if p is not None), x.shape[-1])
        if n != x.shape[-1]:
            hint = channels_first(x, x.shape[1] == n)
            raise ValueError(f"{self!r}: expected x with last axis {n}, got shape {x.shape}{hint}")
        return params.scale, params.shift


def _back(rule: Rule, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
    """(dx, readings) of some rows."""
    x, moments = residuals
    scale, shift = params or (None, None)
    xhat, s = rule.standardised(x, moments)
    d, gain = rule.split(dy.astype(s.dtype)), s
    if scale is not None:
        wide = rule.split(scale.astype(s.dtype))
        gain, d = (wide * s, d) if rule.apart else (s, wide * d)
    dx = rule.pulled(xhat, gain, d).reshape(x.shape).astype(x.dtype)
    readings = params and ScaleShift(
        None if scale is None else read(Scaled(xhat.reshape(x.shape).astype(dy.dtype), dy)),
        None if shift is None else read(Sum(dy)),
    )
    return dx, readings


def _cut(rule: Rule, x: Array) -> Cut | None:
    """Along which axis a large x is cut, and into what parts; None where it stays whole.

    A part that stays in the cache is read from memory once, not once for every sum over it.
    """
    if rule.part is None or jax.default_backend() != "cpu":
        return None
    free = [i for i in range(min(2, x.ndim - 1)) if i not in rule.axes]
    if not free:
        return None
    axis = max(free, key=lambda i: x.shape[i])
    size = x.shape[axis]
    step = max(1, rule.part * size // max(1, x.size))
    return Cut(axis, size, step) if size >= PARTS * step else None


def moved(x: Array, vx: Array | None, dy: Array, rdy: Array) -> Factor:
    """The tangent of `Scaled(x, dy)`."""
    x = x.astype(dy.dtype)
    if vx is None:
        return Scaled(x, rdy)
    return Tied((Scaled(x, rdy), Scaled(vx.astype(dy.dtype), dy)))


def channels_first(x: Tree, fits: bool) -> str:
    """What to do about an x whose second axis `fits` where the last one should."""
    if x.ndim < 3 or not fits:
        return ""
    return "; if its channels come first, put them last with jnp.moveaxis(x, 1, -1)"
