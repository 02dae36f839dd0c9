"""Batch-norm in training and layer-norm: one formula, along the batch or along the features.

    xhat = (x - m) s,   s = (v + eps)^-1/2,   y = gamma xhat + beta
    dx = s (d - mean(d) - xhat mean(d xhat)),   d = gamma dy
    dgamma = sum_n dy_n xhat_n,   dbeta = sum_n dy_n

m, v and the means are over axis 0 for batch-norm, over axis 1 for layer-norm; gamma and beta have
an entry for each feature. Sources: Ioffe and Szegedy 2015; Ba, Kiros and Hinton 2016.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.bench.mistakes.model import Mistake, Model
from experiments.bench.mistakes.planting import normal, planted

BATCH, FEATURES = 23, 7
EPS, WRONG_EPS = 1e-5, 1e-3


def draw(seed: int) -> tuple[Any, ...]:
    """x (batch, features), gamma and beta (features,).

    The spread of x differs from row to row and from column to column, so that a factor of 1/std
    is no constant along either.
    """
    rng = np.random.default_rng(seed)
    spread = jnp.exp(0.4 * (normal(rng, BATCH, 1) + normal(rng, FEATURES)))
    x = normal(rng, BATCH, FEATURES) * spread + normal(rng, FEATURES)
    return x, 1 + 0.5 * normal(rng, FEATURES), normal(rng, FEATURES)


def moments(axis: int, x: Any) -> tuple[Any, Any]:
    """x - m and v."""
    centred = x - x.mean(axis, keepdims=True)
    return centred, (centred * centred).mean(axis, keepdims=True)


def forward(axis: int, x: Any, gamma: Any, beta: Any) -> Any:
    """y (batch, features)."""
    centred, v = moments(axis, x)
    return gamma * (centred * lax.rsqrt(v + EPS)) + beta


def backward(axis: int, mistake: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    """dx, dgamma and dbeta."""
    x, gamma, _ = args
    n = x.shape[axis]
    centred, v = moments(axis, x)
    s = lax.rsqrt(v + EPS)
    xhat = centred * s
    if mistake == 54:
        dy = jnp.broadcast_to(dy[0, 0], dy.shape)

    average = jnp.sum if mistake == 43 else jnp.mean
    d = dy if mistake == 48 else gamma * dy
    mean = average(d, axis, keepdims=True)
    along = average(d * xhat, axis, keepdims=True)
    a = 0 if mistake in (40, 42) else 1
    b = {41: 0, 42: 0, 51: -1}.get(mistake, 1)
    wrong = {44: lax.rsqrt(v * n / (n - 1) + EPS), 46: s * s, 47: lax.rsqrt(v + WRONG_EPS)}
    dx = (1 if mistake == 45 else wrong.get(mistake, s)) * (d - a * mean - b * xhat * along)
    if mistake == 52:
        dx = dx[:, ::-1]
    if mistake == 53:
        dx = jnp.roll(dx, 1, axis=0)

    dgamma = (dy * (centred if mistake == 50 else xhat)).sum(0)
    dbeta = dy.sum(0)
    return (dx, dbeta, dgamma) if mistake == 49 else (dx, dgamma, dbeta)


def known(axis: int, x: Any, gamma: Any, beta: Any) -> dict[str, Any]:
    """gamma, s as inv_std, and xhat, in shapes that broadcast against x."""
    centred, v = moments(axis, x)
    s = lax.rsqrt(v + EPS)
    return {"gamma": gamma, "inv_std": s, "xhat": centred * s}


MISTAKES = (
    Mistake(40, "mean term dropped", "[0]", "mean"),
    Mistake(41, "variance term dropped", "[0]", "term"),
    Mistake(42, "both dropped (eval-mode backward)", "[0]"),
    Mistake(43, "sum, not mean", "[0]"),
    Mistake(44, "unbiased variance", "[0]", "scale"),
    Mistake(45, "inv-std missing", "[0]", "feature"),
    Mistake(46, "inv-std squared", "[0]"),
    Mistake(47, "wrong eps", "[0]", "feature"),
    Mistake(48, "gamma missing", "[0]", "feature"),
    Mistake(49, "gamma/beta swapped", "[2]", "swapped"),
    Mistake(50, "gamma gradient from x - mu", "[1]"),
    Mistake(51, "variance term sign", "[0]"),
    Mistake(52, "feature axis reversed", "[0]"),
    Mistake(53, "batch rolled", "[0]"),
    Mistake(54, "upstream first element only", "[2]"),
)


def norm(name: str, axis: int, mistakes: tuple[Mistake, ...]) -> Model:
    """Batch-norm for axis 0, layer-norm for axis 1."""
    return planted(
        name,
        functools.partial(forward, axis),
        functools.partial(backward, axis),
        draw,
        mistakes,
        constants={"batch": BATCH, "features": FEATURES},
        known=functools.partial(known, axis),
    )


# the inv-std of layer-norm belongs to an example, not to a feature
BY_EXAMPLE = tuple(
    m._replace(cause="feature|example") if m.number in (45, 47) else m for m in MISTAKES
)
MODELS = (norm("batch_norm", 0, MISTAKES), norm("layer_norm", 1, BY_EXAMPLE))
