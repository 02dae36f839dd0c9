"""The base of the activations: how one is named, printed, and moves with its input."""

import dataclasses
from typing import Any, ClassVar, Self

from jaxnn.core.layer import Layer, Read
from jaxnn.core.types import Params, Tree
from jaxnn.core.values import changed_fields


class Activation(Layer):
    """Base of the activations: at most one hyperparameter, printed by its name.

    The Jacobian of an activation is symmetric, diag(phi') unless it mixes features, so a tangent is
    pushed by the rule that pulls an error back. One that is curved writes `second`:

        vy = phi' vx,    rdx = phi' rdy + phi'' vx dy
    """

    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = name

    def __call__(self, parameter: float | str) -> Self:
        fields = dataclasses.fields(self)
        if not fields:
            raise TypeError(f"{self!r} has no parameter, got {parameter!r}; write {self!r} alone")
        return self.replace(**{fields[0].name: parameter})

    def __repr__(self) -> str:
        changed = list(changed_fields(self).values())
        return f"{self.name}({changed[0]!r})" if changed else self.name

    def second(self, residuals: Tree) -> Any:
        """phi'', shaped like x."""
        raise TypeError(
            f"{self!r}: expected an activation with `second`, got one without; write "
            f"{type(self).__name__}.second(self, residuals), say curved = False if phi'' is 0, "
            "or take gnvp, the product with the Gauss-Newton matrix, which does not need it"
        )

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        if vx is None:
            return None, None
        return self.backward(params, residuals, vx, lambda factor: factor)[0], vx

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        vx = tangents
        dx, _ = self.backward(params, residuals, dy, read)
        rdx, _ = self.backward(params, residuals, rdy, read)
        if self.curved and vx is not None:
            rdx = rdx + self.second(residuals) * vx * dy
        return dx, rdx, ()
