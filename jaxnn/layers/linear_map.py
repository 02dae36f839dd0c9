"""Affine maps: the base of dense layers, convolutions and their kin."""

from typing import Any

from jaxnn.core.composed import Tied
from jaxnn.core.factors import Factor, Sum
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Affine
from jaxnn.core.refusals import check_record
from jaxnn.core.types import Array, Key, Params, Tree


class LinearMap(Layer):
    """y = A(x, w) + b, with A linear in x and in w.

        dx = A^T(dy, w),   dw = sum A'(x, dy),   db = sum dy

    A subclass has a field `bias`, whether there is a b. It says what A is by `times`, its transpose
    by x by `back`, and the factor of dw by `outer`. Where w, b and x move:

        vy = A(x, vw) + A(vx, w) + vb
        rdx = A^T(rdy, w) + A^T(dy, vw),   rdw = sum A'(x, rdy) + A'(vx, dy)

    Residuals: x.
    """

    curved = False

    def times(self, x: Array, w: Array) -> Array:
        """A(x, w)."""
        raise NotImplementedError(f"write {type(self).__name__}.times(self, x, w)")

    def back(self, x: Array, w: Array, dy: Array) -> Array:
        """A^T(dy, w), shaped like x, of which only the shape is used."""
        raise NotImplementedError(f"write {type(self).__name__}.back(self, x, w, dy)")

    def outer(self, x: Array, dy: Array) -> Factor:
        """The factor of dw."""
        raise NotImplementedError(f"write {type(self).__name__}.outer(self, x, dy)")

    def check(self, params: Affine, x: Array) -> None:
        """Refuse an x that does not fit the parameters."""

    def forward(self, params: Affine, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_record(self, params, Affine)
        self.check(params, x)
        y = self.times(x, params.w)
        return (y + params.b if self._biased else y), x

    def backward(self, params: Affine, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        dx = self.back(x, params.w, dy)
        return dx, self._readings(params, self.outer(x, dy), dy, read)

    def push(self, params: Affine, residuals: Tree, vparams: Affine, vx: Tree) -> tuple[Tree, Tree]:
        x = residuals
        vy = self.times(x, vparams.w)
        vy = vy if vx is None else vy + self.times(vx, params.w)
        return (vy + vparams.b if self._biased else vy), (vparams.w, vx)

    def bend(
        self, params: Affine, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        x, (vw, vx) = residuals, tangents
        dx = self.back(x, params.w, dy)
        rdx = self.back(x, params.w, rdy) + self.back(x, vw, dy)
        rdw = self.outer(x, rdy)
        rdw = rdw if vx is None else Tied((rdw, self.outer(vx, dy)))
        return dx, rdx, self._readings(params, rdw, rdy, read)

    def _readings(self, params: Params, dw: Factor, dy: Array, read: Read) -> Any:
        """dw and db read; b is summed over all axes in front of its own."""
        return Affine(read(dw), read(Sum(dy, rank=params.b.ndim)) if self._biased else None)

    @property
    def _biased(self) -> bool:
        """Whether a bias is added."""
        return getattr(self, "bias")  # noqa: B009 - each subclass declares its own
