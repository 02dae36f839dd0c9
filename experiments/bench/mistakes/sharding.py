"""A mean loss over examples that lie on 8 devices, each with its own number of valid ones.

    L = 1/N sum_d sum_{n < n_valid[d]} |tanh(x[d, n] w + b)|^2 / 2,      N = sum_d n_valid[d]

The devices are the leading axis, and `jax.vmap` with an axis name stands for the mesh, so that it
all runs on one CPU. Each device finds its part of dw and db, and a psum over the devices adds them.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import normal, planted

DEVICES, ROWS, N_IN, N_OUT = 8, 5, 3, 7
AXIS = "devices"


def mean_loss(x: Any, params: Any, n_valid: Any) -> Any:
    """L, a scalar, for x (devices, n, n_in), params {w (n_in, n_out), b}, n_valid (devices,)."""
    h = jnp.tanh(x @ params["w"] + params["b"])
    valid = _valid(x, n_valid)[..., None]
    return (0.5 * valid * h * h).sum() / n_valid.sum().astype(h.dtype)


def _valid(x: Any, n_valid: Any) -> Any:
    row = jnp.arange(x.shape[-2], dtype=n_valid.dtype)
    return (row < n_valid[..., None]).astype(x.dtype)


def _reduce(number: int, part: Any) -> Any:
    """The sum over all devices, on every device."""
    if number == 93:
        return part
    if number == 94:
        return jax.lax.pmean(part, AXIS)
    total = jax.lax.psum(part, AXIS)
    return jax.lax.psum(total, AXIS) if number == 95 else total


def _backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    x, params, n_valid = args

    def on_device(x: Any, n_valid: Any) -> Any:
        h = jnp.tanh(x @ params["w"] + params["b"])
        n = DEVICES * n_valid if number == 96 else jax.lax.psum(n_valid, AXIS)
        delta = dy / n.astype(h.dtype) * _valid(x, n_valid)[:, None] * h * (1.0 - h * h)
        parts = {"w": x.T @ delta, "b": delta.sum(0)}
        return delta @ params["w"].T, jax.tree.map(partial(_reduce, number), parts)

    dx, everywhere = jax.vmap(on_device, axis_name=AXIS)(x, n_valid)
    return dx, jax.tree.map(lambda copies: copies[0], everywhere), None


def _draw(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    params = {"w": normal(rng, N_IN, N_OUT), "b": normal(rng, N_OUT)}
    ragged = rng.permutation([1, 1, 2, 3, 3, 4, 5, 5])
    return normal(rng, DEVICES, ROWS, N_IN), params, jnp.asarray(ragged, jnp.int32)


MODELS = (
    planted(
        "data_parallel_loss",
        mean_loss,
        _backward,
        _draw,
        (
            Mistake(93, "psum missing: the part of device 0", "[1]['b']"),
            Mistake(94, "pmean instead of psum", "[1]['b']", "scale"),
            Mistake(95, "psum twice", "[1]['b']", "scale"),
            Mistake(96, "mean of the devices' own means (seen if ragged)", "[1]['b']"),
        ),
        constants={"devices": DEVICES},
        known=lambda x, params, n_valid: {"valid": _valid(x, n_valid)[..., None]},
    ),
)
