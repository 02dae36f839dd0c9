"""Losses: values that take outputs and targets and return `(values, deltas)`, example by example.

    values, deltas = loss(outputs, y)

values (*batch,) holds l_n, deltas (shaped like outputs) holds dl_n/doutputs, neither weighted nor
averaged: `jaxnn.backprop` does that, as `reduction` says. "mean" divides by the number of examples
(by the sum of their weights, if they have any), "sum" adds up, "none" leaves a value for each
example and the gradient of their sum. `loss.replace(reduction="sum")` is the same loss otherwise.

The curvature of a loss is H = d2l_n/doutputs2, one matrix for each example, which is never formed:
`bend` multiplies it with a vector, and `root` a matrix S with S S^T = H, see `jaxnn.curvature`.

A cross-entropy has its non-linearity inside and takes logits, see `jaxnn.losses.cross_entropy`. The
square costs take whatever the network puts out: after a last layer `sigmoid` or `softmax` they are
the quadratic cost of the textbooks.
"""

import math
from typing import Any, ClassVar, Literal

import jax.numpy as jnp

from jaxnn.core.types import Array, Dtype, Tree
from jaxnn.core.values import Static, changed_fields


class Loss(Static):
    """Base of all losses. A subclass writes `__call__`, and the others where it must."""

    reduction: Literal["mean", "sum", "none"] = "mean"
    """What becomes of the values of the examples."""
    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = name

    def __repr__(self) -> str:
        changed = [f"{name}={given!r}" for name, given in changed_fields(self).items()]
        return f"{self.name}.replace({', '.join(changed)})" if changed else self.name

    def __call__(self, outputs: Array, y: Tree) -> tuple[Array, Array]:
        """(values, deltas) of every example."""
        raise NotImplementedError(f"write {type(self).__name__}.__call__(self, outputs, y)")

    def bend(self, outputs: Array, y: Tree, v: Tree) -> Array:
        """H v, which is the tangent of deltas where outputs move along v."""
        raise _without(self, "bend", "v")

    def root(self, outputs: Array, y: Tree, u: Array) -> Array:
        """S u with S S^T = H, shaped like outputs; u has the n entries of an output."""
        raise _without(self, "root", "u")

    def weights(self, y: Tree, dtype: Dtype) -> Array | None:
        """(*batch,) weights that the loss itself gives the examples; None if all count alike."""
        del y, dtype

    def positions(self, y: Tree) -> tuple[int, ...]:
        """The shape (*batch,) of the values, known from the targets alone.

        By default integers are labels (*batch,), and other targets are shaped like the outputs.
        """
        return y.shape if jnp.issubdtype(y.dtype, jnp.integer) else y.shape[:-1]

    def check_targets(self, y: Tree, n_outputs: int) -> None:
        """Refuse target values, known here as numpy, that mean nothing for so many outputs."""
        del y, n_outputs


def _without(loss: Loss, method: str, vector: str) -> TypeError:
    return TypeError(
        f"{loss!r}: expected a loss with `{method}`, got one without; write "
        f"{type(loss).__name__}.{method}(self, outputs, y, {vector}), as every loss of jaxnn does"
    )


def check_loss(loss: Any) -> None:
    """Refuse what is no loss: a function, a class, a name."""
    if not isinstance(loss, Loss):
        raise TypeError(
            f"expected a loss such as softmax_cross_entropy, a value of a subclass of jaxnn.Loss, "
            f"got {loss!r}; for one of your own write a class with __call__(self, outputs, y) -> "
            "(values, deltas) and pass a value of it, as in MyLoss()"
        )


def check_alike(loss: Loss, outputs: Array, y: Tree) -> None:
    """Refuse targets that are not shaped like the outputs: they would broadcast silently."""
    if jnp.shape(outputs) != jnp.shape(y):
        hint = ""
        if (*y.shape, 1) == outputs.shape:
            hint = "; give it y[..., None]"
        elif y.shape == outputs.shape[:-1]:
            n = outputs.shape[-1]
            hint = f"; labels are integers, y.astype(int), or one-hot rows, jax.nn.one_hot(y, {n})"
        raise ValueError(
            f"{loss!r}: expected y shaped like the outputs, {outputs.shape}, "
            f"got {y.dtype} {y.shape}{hint}"
        )


class AlikeLoss(Loss):
    """Base of the losses whose targets are shaped like the outputs, of integers too."""

    def positions(self, y: Tree) -> tuple[int, ...]:
        return y.shape[:-1]


class HalfSquare(AlikeLoss, name="half_square"):
    """l = 1/2 sum_k (a_k - y_k)^2, delta = a - y, H = I; outputs a and targets y (*batch, n).

    Its mean over examples is the quadratic cost C = 1/(2N) sum_n |a_n - y_n|^2 of the textbooks.
    Raises ValueError for unequal shapes. Source: Rumelhart, Hinton and Williams 1986, eq. 3.
    """

    def __call__(self, outputs: Array, y: Tree) -> tuple[Array, Array]:
        check_alike(self, outputs, y)
        deltas = outputs - y.astype(outputs.dtype)
        return 0.5 * (deltas * deltas).sum(-1), deltas

    def bend(self, outputs: Array, y: Tree, v: Tree) -> Array:
        return v

    def root(self, outputs: Array, y: Tree, u: Array) -> Array:
        return u


class SumSquare(AlikeLoss, name="sum_square"):
    """l = sum_k (a_k - y_k)^2, delta = 2 (a - y), H = 2 I; outputs a and targets y (*batch, n).

    With reduction "sum" it is the residual sum of squares. Raises ValueError for unequal shapes.
    """

    def __call__(self, outputs: Array, y: Tree) -> tuple[Array, Array]:
        check_alike(self, outputs, y)
        errors = outputs - y.astype(outputs.dtype)
        return (errors * errors).sum(-1), 2 * errors

    def bend(self, outputs: Array, y: Tree, v: Tree) -> Array:
        return 2 * v

    def root(self, outputs: Array, y: Tree, u: Array) -> Array:
        return math.sqrt(2) * u


half_square = HalfSquare()
"""l = 1/2 sum_k (a_k - y_k)^2, delta = a - y."""

sum_square = SumSquare()
"""l = sum_k (a_k - y_k)^2, delta = 2 (a - y)."""
