"""The threshold unit: a weighted sum and a step, and the points and labels it is trained on.

At a weighted sum of exactly 0 the unit puts out 1, as the layer `step` does.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnn.core.refusals import is_concrete


def threshold_unit(x: Any, w: Any, b: Any = None, *, low: int = 0) -> Any:
    """The output of a unit: 1 where x w + b >= 0, else `low`, which is 0 or -1.

    x (*batch, k); w (k,) and b (), or w (k, m) and b (m,) for m units; without b there is no bias.
    The result, (*batch,) or (*batch, m), has the dtype of x. With low=0 it is what
    `serial(Dense(m), step)` computes. Raises TypeError for an x that is not floating point,
    ValueError for another `low` and for shapes that do not fit.
    Source: McCulloch and Pitts 1943; Rosenblatt 1958.
    """
    x, w = _features(x), jnp.asarray(w)
    if low not in (0, -1):
        raise ValueError(f"expected low to be 0 or -1, got {low!r}")
    if w.ndim not in (1, 2) or x.shape[-1] != len(w):
        raise ValueError(f"expected w ({x.shape[-1]},) to fit x {x.shape}, got shape {w.shape}")
    return jnp.where(weighted_sum(x, w, b) >= 0, 1, low).astype(x.dtype)


def homogeneous(x: Any) -> Any:
    """x (*batch, k) with a last feature that is always 1, whose weight is the bias.

        [x, 1] [w; b] = x w + b

    The result is (*batch, k + 1). Raises TypeError for an x that is not floating point and
    ValueError for one without axes.
    """
    x = _features(x)
    return jnp.concatenate([x, jnp.ones_like(x[..., :1])], axis=-1)


def weighted_sum(x: Any, w: Any, b: Any) -> Any:
    """x w + b, or x w without a bias, in full precision.

    An accelerator may multiply float32 in fewer digits, and here the sign is what counts.
    """
    product = jnp.matmul(x, w, precision="highest")
    return product if b is None else product + b


def check_points(x: Any, y: Any) -> tuple[Any, Any]:
    """x (n, k) and y (n,) as arrays; refuse other shapes, and an x that is not floating point."""
    x, y = _features(x), jnp.asarray(y)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"expected x (n, k) of one or more points, got shape {x.shape}")
    if y.shape != x.shape[:1]:
        raise ValueError(
            f"expected y with one label for each of the {len(x)} points, got shape {y.shape}"
        )
    return x, y


def signs(y: Any, dtype: Any) -> Any:
    """-1 and +1 for labels of {0, 1} or of {-1, +1}; ValueError for others, if they are seen."""
    if is_concrete(y):
        found = np.unique(np.asarray(y))
        if not (np.isin(found, (0, 1)).all() or np.isin(found, (-1, 1)).all()):
            raise ValueError(
                f"expected labels of {{0, 1}} or of {{-1, +1}}, got {some(found)}; "
                "for more classes use train_multiclass_perceptron"
            )
    return jnp.where(y.astype(dtype) > 0, 1, -1).astype(dtype)


def some(values: Any) -> str:
    """The first few values, for a message."""
    text = ", ".join(str(value) for value in np.unique(np.asarray(values))[:5])
    return f"{text}, ..." if len(np.unique(np.asarray(values))) > 5 else text


def _features(x: Any) -> Any:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"expected floating-point x, got {x.dtype} of shape {x.shape}; "
            "convert with x.astype(float)"
        )
    if x.ndim < 1:
        raise ValueError("expected x (..., k), got a scalar; give it an axis of features")
    return x
