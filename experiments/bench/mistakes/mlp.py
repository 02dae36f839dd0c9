"""Three dense layers with an activation f between them; the inner weight is square.

    z1 = x w1 + b1,  h1 = f(z1),  z2 = h1 w2 + b2,  h2 = f(z2),  y = h2 w3 + b3
    d3 = dy,  d2 = (d3 w3') f'(z2),  d1 = (d2 w2') f'(z1),  dx = d1 w1'
    dw_k = h_(k-1)' d_k,  db_k = sum over the batch of d_k

At the kink of relu, z = 0, f' is 0.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import dense, dense_params, normal, planted

BATCH, N_IN, WIDTH, N_OUT = 23, 5, 7, 3


class Activation(NamedTuple):
    """f and its derivative, both functions of z."""

    f: Callable[[Any], Any]
    slope: Callable[[Any], Any]


TANH = Activation(jnp.tanh, lambda z: 1 - jnp.tanh(z) ** 2)
RELU = Activation(lambda z: jnp.where(z > 0, z, 0), lambda z: (z > 0).astype(z.dtype))


def draw(seed: int) -> tuple[Any, ...]:
    """x (batch, n_in) and the parameters {"fc1": {"w", "b"}, "fc2": ..., "fc3": ...}."""
    rng = np.random.default_rng(seed)
    sizes = {"fc1": (N_IN, WIDTH), "fc2": (WIDTH, WIDTH), "fc3": (WIDTH, N_OUT)}
    return normal(rng, BATCH, N_IN), {k: dense_params(rng, *size) for k, size in sizes.items()}


def forward(act: Activation, x: Any, params: Any) -> Any:
    """y (batch, n_out)."""
    h1 = act.f(dense(x, params["fc1"]))
    h2 = act.f(dense(h1, params["fc2"]))
    return dense(h2, params["fc3"])


def backward(act: Activation, mistake: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    """dx and the gradients of the parameters."""
    x, params = args
    w1, w2, w3 = (params[layer]["w"] for layer in ("fc1", "fc2", "fc3"))
    z1 = dense(x, params["fc1"])
    h1 = act.f(z1)
    z2 = dense(h1, params["fc2"])
    h2 = act.f(z2)

    d3 = jnp.asarray(dy).at[-1].set(0) if mistake == 29 else dy
    d2 = (d3 @ w3.T) * act.slope({21: h2, 22: -z2}.get(mistake, z2))
    d1 = (d2 @ (w2 if mistake == 15 else w2.T)) * (1 if mistake == 20 else act.slope(z1))
    if mistake == 24:
        d1 = d1 / 2
    dtype = jnp.bfloat16 if mistake == 31 else x.dtype
    dw2 = (z1 if mistake == 19 else h1).astype(dtype).T @ d2.astype(dtype)
    grads = {
        "fc1": {"w": x.T @ d1, "b": d1.sum(0)},
        "fc2": {"w": dw2.astype(x.dtype), "b": d2.sum(0)},
        "fc3": {"w": h2.T @ d3, "b": d3.sum(0)},
    }
    return d1 @ w1.T, spoilt(mistake, grads)


def noisy(g: Any) -> Any:
    """g with a relative error of 1e-3 in every entry, the same in every call."""
    noise = np.random.default_rng(0).normal(size=g.shape)
    return g * (1 + 1e-3 * jnp.asarray(noise, g.dtype))


def exchanged(g: Any, i: int, j: int) -> Any:
    """g with rows i and j exchanged."""
    return g.at[i].set(g[j]).at[j].set(g[i])


LEAF: dict[int, tuple[str, str, Callable[[Any], Any]]] = {
    14: ("fc2", "w", lambda g: g.T),
    16: ("fc3", "b", jnp.zeros_like),
    17: ("fc2", "b", lambda g: g / BATCH),
    18: ("fc1", "b", jnp.negative),
    23: ("fc3", "w", lambda g: 1.01 * g),
    25: ("fc1", "w", lambda g: g.at[2, 1].multiply(1.5)),
    26: ("fc2", "w", lambda g: g.at[3].set(0)),
    27: ("fc1", "w", lambda g: exchanged(g, 1, 3)),
    28: ("fc2", "w", lambda g: g.at[-1].set(g[-2])),
    30: ("fc1", "w", noisy),
    33: ("fc3", "w", jnp.zeros_like),
    34: ("fc1", "w", lambda g: g.at[0, 0].set(jnp.nan)),
}  # the mistakes in one leaf alone


def spoilt(mistake: int, grads: Any) -> Any:
    """The gradients of the parameters after those mistakes that come last."""
    if mistake in LEAF:
        layer, leaf, change = LEAF[mistake]
        return {**grads, layer: {**grads[layer], leaf: change(grads[layer][leaf])}}
    if mistake == 32:
        fc1, fc2 = grads["fc1"], grads["fc2"]
        return {**grads, "fc1": {**fc1, "b": fc2["b"]}, "fc2": {**fc2, "b": fc1["b"]}}
    if mistake == 35:
        return {**grads, "fc2": jax.tree.map(jnp.negative, grads["fc2"])}
    return grads


MISTAKES = (
    Mistake(14, "weight transposed (square)", "[1]['fc2']['w']", "transposed"),
    Mistake(15, "backprop with W instead of W'", "[1]['fc1']['b']", "transposed"),
    Mistake(16, "bias forgotten", "[1]['fc3']['b']", "zero"),
    Mistake(17, "bias mean, not sum", "[1]['fc2']['b']", "scale"),
    Mistake(18, "bias sign", "[1]['fc1']['b']", "sign"),
    Mistake(19, "pre-activation instead of activation", "[1]['fc2']['w']"),
    Mistake(20, "activation derivative missing", "[1]['fc1']['b']"),
    Mistake(21, "activation derivative taken at the output", "[1]['fc2']['b']"),
    Mistake(22, "activation derivative of the wrong side", "[1]['fc2']['b']"),
    Mistake(23, "1% factor", "[1]['fc3']['w']", "scale"),
    Mistake(24, "half", "[1]['fc1']['b']", "scale"),
    Mistake(25, "one entry x1.5", "[1]['fc1']['w']", "entry"),
    Mistake(26, "one row zero", "[1]['fc2']['w']", "rows|zero"),
    Mistake(27, "two rows swapped", "[1]['fc1']['w']", "permuted|rows"),
    Mistake(28, "last row = previous (tile)", "[1]['fc2']['w']", "rows"),
    Mistake(29, "last sample dropped", "[1]['fc3']['b']"),
    Mistake(30, "relative noise 1e-3", "[1]['fc1']['w']"),
    Mistake(31, "bf16 accumulation", "[1]['fc2']['w']"),
    Mistake(32, "two leaves exchanged", "[1]['fc2']['b']", "swapped"),
    Mistake(33, "leaf zero", "[1]['fc3']['w']", "zero"),
    Mistake(34, "NaN entry", "[1]['fc1']['w']", "nan"),
    Mistake(35, "one layer's sign", "[1]['fc2']['b']", "sign"),
)


def with_equivalent(number: int, reason: str) -> tuple[Mistake, ...]:
    """The mistakes, with one that this activation forgives."""
    return tuple(
        m._replace(place="", equivalent=reason) if m.number == number else m for m in MISTAKES
    )


MODELS = (
    planted(
        "mlp_tanh",
        functools.partial(forward, TANH),
        functools.partial(backward, TANH),
        draw,
        with_equivalent(22, "tanh' is even: f'(-z) = f'(z)"),
        constants={"batch": BATCH},
    ),
    planted(
        "mlp_relu",
        functools.partial(forward, RELU),
        functools.partial(backward, RELU),
        draw,
        with_equivalent(21, "the output of relu is above 0 exactly where its input is"),
        constants={"batch": BATCH},
    ),
)
