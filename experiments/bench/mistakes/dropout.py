"""Dense, inverted dropout, dense; the mask is an argument, so that every run has the same.

h = x w1 + b1,   r = h mask / keep,   y = r w2 + b2
dh = (dy w2') mask / keep,   dw2 = r' dy
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import dense, dense_params, normal, planted

BATCH, N_IN, WIDTH, N_OUT = 19, 5, 11, 3
KEEP = 0.8


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """True with probability keep."""
    return jnp.asarray(rng.random(shape) < KEEP)


def draw(seed: int) -> tuple[Any, ...]:
    """x (batch, n_in), the parameters {"fc1": {"w", "b"}, "fc2": ...}, mask (batch, width)."""
    rng = np.random.default_rng(seed)
    params = {"fc1": dense_params(rng, N_IN, WIDTH), "fc2": dense_params(rng, WIDTH, N_OUT)}
    return normal(rng, BATCH, N_IN), params, draw_mask(rng, (BATCH, WIDTH))


def dropped(h: Any, mask: Any) -> Any:
    """h mask / keep."""
    return jnp.where(mask, h / KEEP, 0)


def forward(x: Any, params: Any, mask: Any) -> Any:
    """y (batch, n_out)."""
    return dense(dropped(dense(x, params["fc1"]), mask), params["fc2"])


def backward(mistake: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    """dx, the gradients of the parameters, and None for the mask."""
    x, params, mask = args
    h = dense(x, params["fc1"])
    r = h if mistake == 39 else dropped(h, mask)
    if mistake == 36:
        mask = jnp.ones_like(mask)
    if mistake == 38:
        mask = draw_mask(np.random.default_rng(0), mask.shape)
    dh = dropped(dy @ params["fc2"]["w"].T, mask)
    if mistake == 37:
        dh = dh * KEEP
    grads = {"fc1": {"w": x.T @ dh, "b": dh.sum(0)}, "fc2": {"w": r.T @ dy, "b": dy.sum(0)}}
    return dh @ params["fc1"]["w"].T, grads, None


def known(x: Any, params: Any, mask: Any) -> dict[str, Any]:
    """The mask, (batch, width)."""
    return {"mask": mask.astype(x.dtype)}


MODELS = (
    planted(
        "dropout",
        forward,
        backward,
        draw,
        (
            Mistake(36, "mask missing", "[1]['fc1']['b']", "mask"),
            Mistake(37, "1/keep missing", "[1]['fc1']['b']", "scale"),
            Mistake(38, "mask resampled", "[1]['fc1']['b']"),
            Mistake(39, "weight gradient uses undropped activation", "[1]['fc2']['w']", "mask"),
        ),
        constants={"batch": BATCH, "keep": KEEP},
        known=known,
    ),
)
