"""A long short-term memory over time, and its backward pass through time.

    i, f, o, g = s(z_i), s(z_f), s(z_o), tanh(z_g),     z = x_t w_x + b + h_{t-1} w_h
    c_t = f c_{t-1} + i g,      h_t = o tanh(c_t)

with s the logistic function. The numbers of its mistakes come after those of the published list.
Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import normal, planted

STEPS, BATCH, N_IN, WIDTH = 5, 2, 3, 7


def lstm(x: Any, params: Any) -> Any:
    """h (T, B, m) for x (T, B, n) and params {w_x (n, 4m), w_h (m, 4m), b}; h, c start at zero."""
    return _run(x, params)[1]


def _run(x: Any, params: Any) -> tuple[Any, Any, Any]:
    """The gates, h and c of every step."""
    z = x @ params["w_x"] + params["b"]

    def step(carry: Any, z: Any) -> Any:
        h, c = carry
        gates = _gates(z + h @ params["w_h"])
        i, f, o, g = gates
        c = f * c + i * g
        h = o * jnp.tanh(c)
        return (h, c), (gates, h, c)

    nothing = jnp.zeros((x.shape[1], len(params["w_h"])), x.dtype)
    return jax.lax.scan(step, (nothing, nothing), z)[1]


def _gates(z: Any) -> tuple[Any, ...]:
    i, f, o, g = jnp.split(z, 4, axis=-1)
    return *(jax.nn.sigmoid(a) for a in (i, f, o)), jnp.tanh(g)


def _before(a: Any) -> Any:
    """What the step before left behind."""
    return jnp.concatenate([jnp.zeros_like(a[:1]), a[:-1]])


def _backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    x, params = args
    gates, h, c = _run(x, params)

    def step(carry: Any, now: Any) -> Any:
        dh, dc = carry
        dy, (i, f, o, g), c, c_before = now
        dh, squashed = dy + dh, jnp.tanh(c)
        dc = dc + dh * o * (1.0 - squashed * squashed)
        dz_i, dz_o = dc * g * i * (1.0 - i), dh * squashed * o * (1.0 - o)
        dz_f = dc * c_before * (f if number == 112 else f * (1.0 - f))
        dz = jnp.concatenate([dz_i, dz_f, dz_o, dc * i * (1.0 - g * g)], axis=-1)
        dh, dc = dz @ params["w_h"].T, dc * f
        return (0.0 * dh, 0.0 * dc) if number == 111 else (dh, dc), dz

    last = (jnp.zeros_like(c[0]), jnp.zeros_like(c[0]))
    _, dz = jax.lax.scan(step, last, (dy, gates, c, _before(c)), reverse=True)
    if number == 113:
        dz = dz[::-1]
    dw_x, dw_h = (jnp.einsum("tbi,tbj->ij", a, dz) for a in (x, _before(h)))
    db = dz[-1].sum(0) if number == 114 else dz.sum((0, 1))
    return dz @ params["w_x"].T, {"w_x": dw_x, "w_h": dw_h, "b": db}


def _draw(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    shapes = {"w_x": (N_IN, 4 * WIDTH), "w_h": (WIDTH, 4 * WIDTH), "b": (4 * WIDTH,)}
    params = {name: 0.5 * normal(rng, *shape) for name, shape in shapes.items()}
    return normal(rng, STEPS, BATCH, N_IN), params


MODELS = (
    planted(
        "lstm",
        lstm,
        _backward,
        _draw,
        (
            Mistake(111, "nothing carried from step to step", "[1]['w_h']"),
            Mistake(112, "derivative of the forget gate f, not f (1 - f)", "[1]['w_h']"),
            Mistake(113, "time reversed", "[1]['w_h']"),
            Mistake(114, "bias summed over the last step only", "[1]['b']"),
        ),
    ),
)
