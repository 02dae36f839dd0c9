"""Cross-entropies from logits, with the softmax or the sigmoid inside.

Values and deltas are computed without subtracting nearly equal numbers, so they keep their relative
precision when an example is classified almost surely. There `jax.grad` of the usual formula is the
less accurate side: in float32 it returns exactly 0 once p_y > 1 - 4e-7.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.core.ranges import Positive, Share
from jaxnn.core.types import Array, Dtype, Tree
from jaxnn.losses.loss import AlikeLoss, Loss, check_alike


class SoftmaxCrossEntropy(Loss, name="softmax_cross_entropy"):
    """l = -sum_k q_k log p_k with p = softmax(z), delta = p - q; logits z (*batch, n).

    Targets y are integer labels (*batch,), for which q is one-hot, or distributions q shaped like
    z whose rows sum to 1. `smoothing` s in [0, 1] mixes them with the uniform: (1 - s) q + s/n.
    `ignore_index` is a label that marks examples to leave out. `class_weights`, n numbers >= 0,
    make an example count sum_k q_k weight_k times (before smoothing).

    At label y, delta_y = -(sum_{k != y} e^z_k) / (sum_k e^z_k), which is p_y - 1 without the
    cancellation, and l = log1p(sum_{k != y} e^(z_k - z_y)) where z_y is the largest. Whatever q is,

        H = diag(p) - p p^T = S S^T,   S_v = sqrt(p_v) (e_v - p)

    Raises ValueError for shapes that do not fit and, outside of jit, for labels not in [0, n) and
    rows that are no distribution; inside jit such a label gives nan. Source: Bridle 1990;
    smoothing: Szegedy et al. 2016, section 7.
    """

    smoothing: Annotated[float, Share] = 0.0
    """Share of the target spread evenly over all classes."""
    ignore_index: int | None = None
    """Label of the examples to leave out."""
    class_weights: tuple[float, ...] | None = None
    """How much an example of each class counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.class_weights
        if given is not None and not (
            isinstance(given, tuple) and all(np.isfinite(v) and v >= 0 for v in given)
        ):
            raise ValueError(
                f"{self.name}: expected class_weights as a tuple of finite numbers >= 0, "
                f"one for each class, got {given!r}"
            )

    def __call__(self, outputs: Array, y: Tree) -> tuple[Array, Array]:
        z = outputs
        if not jnp.issubdtype(y.dtype, jnp.integer):
            check_alike(self, z, y)
            return _from_distribution(z, self._smooth(y.astype(z.dtype)))
        if y.shape != z.shape[:-1]:
            raise ValueError(
                f"{self!r}: expected integer labels of shape {z.shape[:-1]} for logits {z.shape}, "
                f"got {y.shape}; give one-hot targets as floating point"
            )
        y = y.astype(jnp.int32)
        values, deltas = _from_labels(z, y, self.smoothing)
        if self.ignore_index is None:
            return values, deltas
        kept = y != self.ignore_index
        return jnp.where(kept, values, 0), jnp.where(kept[..., None], deltas, 0)

    def bend(self, outputs: Array, y: Tree, v: Tree) -> Array:
        p = jax.nn.softmax(outputs)
        return p * (v - (p * v).sum(-1, keepdims=True))

    def root(self, outputs: Array, y: Tree, u: Array) -> Array:
        p = jax.nn.softmax(outputs)
        r = jnp.sqrt(p) * u
        return r - p * r.sum(-1, keepdims=True)

    def _smooth(self, q: Array) -> Array:
        s = self.smoothing
        return (1 - s) * q + s / q.shape[-1] if s else q

    def weights(self, y: Tree, dtype: Dtype) -> Array | None:
        hard = jnp.issubdtype(y.dtype, jnp.integer)
        y = y.astype(jnp.int32 if hard else dtype)
        own = None
        if self.class_weights is not None:
            table = jnp.asarray(self.class_weights, dtype)
            own = table.at[y].get(mode="clip") if hard else y @ table
        if hard and self.ignore_index is not None:
            own = jnp.ones(y.shape, dtype) if own is None else own
            own = jnp.where(y != self.ignore_index, own, 0)
        return own

    def check_targets(self, y: Tree, n_outputs: int) -> None:
        if self.class_weights is not None and len(self.class_weights) != n_outputs:
            raise ValueError(
                f"{self!r}: expected {n_outputs} class_weights, one for each output, "
                f"got {len(self.class_weights)}"
            )
        if np.issubdtype(y.dtype, np.integer):
            kept = y if self.ignore_index is None else y[y != self.ignore_index]
            if kept.size and not (kept.min() >= 0 and kept.max() < n_outputs):
                raise ValueError(
                    f"{self!r}: expected labels in [0, {n_outputs}), got values from {kept.min()} "
                    f"to {kept.max()}; mark examples to leave out with ignore_index, or give the "
                    "network an output for each class"
                )
        elif y.size and not (y.min() >= 0 and np.allclose(y.sum(-1), 1, rtol=0, atol=1e-2)):
            raise ValueError(
                f"{self!r}: expected rows of y >= 0 that sum to 1, got entries from {y.min():g} "
                f"and sums from {y.sum(-1).min():g} to {y.sum(-1).max():g}; divide each row by its "
                "sum, or use sigmoid_cross_entropy for labels that do not exclude each other"
            )


def _from_labels(z: Array, y: Array, smoothing: float) -> tuple[Array, Array]:
    """(values, deltas) for integer labels: e^z is computed once, in the array that becomes deltas.

    A one-hot array is not built, nor is one of probabilities.
    """
    n, label = z.shape[-1], y[..., None]
    top = z.max(-1, keepdims=True)
    gap = top - _get(z, label)
    e = _put(jnp.exp(z - top), label, jnp.zeros((), z.dtype))
    rest = e.sum(-1, keepdims=True)
    total = rest + jnp.exp(-gap)
    inside = (label >= 0) & (label < n)
    at_label = smoothing * total - rest if smoothing else -rest
    deltas = _put(e, label, at_label) * jnp.where(inside, 1 / total, jnp.nan)
    values = jnp.where(gap == 0, jnp.log1p(rest), jnp.log(total) + gap)
    if smoothing:
        uniform = jnp.log(total) + (top - z).mean(-1, keepdims=True)
        values = (1 - smoothing) * values + smoothing * uniform
        deltas = deltas - smoothing / n
    return jnp.where(inside, values, jnp.nan)[..., 0], deltas


def _get(a: Array, label: Array) -> Array:
    """The entry at the label of each row, (*batch, 1)."""
    if a.shape[-1] < _MANY:
        return jnp.where(_at(a, label), a, 0).sum(-1, keepdims=True)
    return jnp.take_along_axis(a, label, -1)


def _put(a: Array, label: Array, value: Array) -> Array:
    """a with `value` at the label of each row."""
    if a.shape[-1] < _MANY:
        return jnp.where(_at(a, label), value, a)
    value = jnp.broadcast_to(value, label.shape)
    return jnp.put_along_axis(a, label, value, axis=-1, inplace=False)


def _at(a: Array, label: Array) -> Array:
    return label == jnp.arange(a.shape[-1], dtype=label.dtype)


_MANY = 32  # classes; fewer are compared with the label, in fewer kernels, which compile sooner


def _from_distribution(z: Array, q: Array) -> tuple[Array, Array]:
    """(values, deltas) for rows q that sum to 1: p - q written as p (1 - q) - q (1 - p)."""
    at_top = jnp.argmax(z, -1, keepdims=True) == jnp.arange(z.shape[-1])
    top = z.max(-1, keepdims=True)
    e = jnp.exp(z - top)
    rest = jnp.where(at_top, 0, e).sum(
        -1, keepdims=True
    )  # the total without the largest, which is 1
    p = e / (1 + rest)
    others = jnp.where(at_top, rest, 1 + rest - e) / (1 + rest)  # 1 - p
    gaps = jnp.where(q > 0, q * (top - z), 0)  # a class masked by z = -inf counts only if q > 0
    values = jnp.log1p(rest[..., 0]) + gaps.sum(-1)
    return values, p * (1 - q) - q * others


class SigmoidCrossEntropy(AlikeLoss, name="sigmoid_cross_entropy"):
    """l = -sum_k (w t_k log a_k + (1 - t_k) log(1 - a_k)), a = sigmoid(z); logits z (*batch, n).

        delta = (1 - t) sigmoid(z) - w t sigmoid(-z)
        H = diag(h),   h = (1 - t + w t) sigmoid(z) sigmoid(-z)

    Targets t in [0, 1], shaped like z: n labels that do not exclude each other, or n = 1 for two
    classes. `positive_weight` w > 0 weighs the positive side. Raises ValueError for unequal shapes
    and, outside of jit, for targets outside [0, 1]. Source: Nielsen 2015, eq. 63.
    """

    positive_weight: Annotated[float, Positive] = 1.0
    """How much the positive side counts."""

    def __call__(self, outputs: Array, y: Tree) -> tuple[Array, Array]:
        z = outputs
        check_alike(self, z, y)
        t, w = y.astype(z.dtype), self.positive_weight
        u, above = jnp.exp(-jnp.abs(z)), z >= 0  # one exponential for all, which cannot overflow
        small = jnp.log1p(u)
        values = (1 - t) * (jnp.maximum(z, 0) + small) + w * t * (jnp.maximum(-z, 0) + small)
        deltas = (1 - t) * jnp.where(above, 1, u) - w * t * jnp.where(above, u, 1)
        return values.sum(-1), deltas / (1 + u)

    def bend(self, outputs: Array, y: Tree, v: Tree) -> Array:
        return self._curvature(outputs, y) * v

    def root(self, outputs: Array, y: Tree, u: Array) -> Array:
        return jnp.sqrt(self._curvature(outputs, y)) * u

    def _curvature(self, z: Array, y: Tree) -> Array:
        t, w = y.astype(z.dtype), self.positive_weight
        return (1 - t + w * t) * jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)

    def check_targets(self, y: Tree, n_outputs: int) -> None:
        if y.size and not (y.min() >= 0 and y.max() <= 1):
            raise ValueError(
                f"{self!r}: expected targets in [0, 1], got values from {y.min():g} to "
                f"{y.max():g}; for one class out of several use softmax_cross_entropy"
            )


softmax_cross_entropy = SoftmaxCrossEntropy()
"""l = -sum_k q_k log softmax(z)_k, delta = softmax(z) - q; labels or distributions q."""

sigmoid_cross_entropy = SigmoidCrossEntropy()
"""l = -sum_k t_k log a_k + (1 - t_k) log(1 - a_k), a = sigmoid(z), delta = a - t."""
