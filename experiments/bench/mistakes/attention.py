"""Causal attention, several query heads to one head of keys and values, by the delta rule.

    P = softmax(mask(Q K' / sqrt(D)))      O = P V
    dP = dO V'      delta = sum_s P dP      dS = P (dP - delta)
    dV = P' dO      dQ = dS K / sqrt(D)     dK = dS' Q / sqrt(D)

Sources: Vaswani et al. 2017; heads that share keys, Ainslie et al. 2023; delta, Dao et al. 2022.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake, Model
from experiments.bench.mistakes.planting import normal, planted

BATCH, QUERIES, HEADS, GROUPS, WIDTH = 3, 7, 6, 2, 5


def attention(q: Any, k: Any, v: Any) -> Any:
    """O (B, T, H, D) for q (B, T, H, D) and k, v (B, S, G, D), where G divides H.

    Query t sees the keys s <= t + S - T; head h reads the keys of group h // (H / G).
    """
    p = _weights(q, k)
    return jnp.einsum("bhts,bshd->bthd", p, _per_head(v, q))


def _per_head(a: Any, q: Any) -> Any:
    return jnp.repeat(a, q.shape[2] // a.shape[2], axis=2)


def _weights(q: Any, k: Any, causal: bool = True) -> Any:
    scores = jnp.einsum("bthd,bshd->bhts", q * q.shape[-1] ** -0.5, _per_head(k, q))
    visible = jnp.tri(*scores.shape[2:], k=k.shape[1] - q.shape[1], dtype=bool)
    return jax.nn.softmax(jnp.where(visible, scores, -jnp.inf) if causal else scores)


def _backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    q, k, v = args
    scale = q.shape[-1] ** -0.5
    p = _weights(q, k, causal=number != 59)
    if number == 75:
        p = jax.lax.reduce_precision(p, exponent_bits=8, mantissa_bits=7)
    dp = jnp.einsum("bthd,bshd->bhts", dy, _per_head(v, q))
    ds = _d_scores(number, p, dp, scale)
    dq = jnp.einsum("bhts,bshd->bthd", ds, q if number == 69 else _per_head(k, q))
    dk = jnp.einsum("bhst,bthd->bshd" if number == 68 else "bhts,bthd->bshd", ds, q)
    dv = jnp.einsum("bhst,bthd->bshd" if number == 60 else "bhts,bthd->bshd", p, dy)
    dq = dq * (1.0 if number == 66 else scale)
    dk = dk * (scale * scale if number == 67 else scale)
    dk, dv = _per_group(number, dk, k), _per_group(number, dv, v)
    if number == 70:
        dk, dv = dk.at[:, -1].set(0.0), dv.at[:, -1].set(0.0)
    return (dq, dv, dk) if number == 74 else (dq, dk, dv)


def _d_scores(number: int, p: Any, dp: Any, scale: float) -> Any:
    """dS = P (dP - delta): the softmax backwards."""
    delta = (p * dp).sum(-1, keepdims=True)
    if number == 61:
        delta = delta * 0.0
    if number == 62:
        delta = (p * dp).sum(-2, keepdims=True)
    if number == 63:
        delta = (p * dp).mean(-1, keepdims=True)
    if number == 64:
        delta = delta * scale
    return dp - delta if number == 65 else p * (dp - delta)


def _per_group(number: int, d_each: Any, like: Any) -> Any:
    """Sum over the query heads that read the same keys: the repeat backwards."""
    batch, keys, groups, width = like.shape
    if number == 73:
        return d_each.reshape(batch, keys, -1, groups, width).sum(2)
    d_each = d_each.reshape(batch, keys, groups, -1, width)
    if number == 71:
        return d_each[:, :, :, 0]
    return d_each.mean(3) if number == 72 else d_each.sum(3)


def _draw(keys: int, seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    shapes = [(QUERIES, HEADS), (keys, GROUPS), (keys, GROUPS)]
    return tuple(normal(rng, BATCH, *shape, WIDTH) for shape in shapes)


def _model(name: str, keys: int, *mistakes: Mistake) -> Model:
    constants = {"sqrt(head width)": math.sqrt(WIDTH), "heads per group": HEADS / GROUPS}
    draw = partial(_draw, keys)
    return planted(name, attention, _backward, draw, mistakes, constants=constants)


SQUARE = _model(
    "attention_square",  # so that an untransposed matrix fits
    QUERIES,
    Mistake(59, "weights recomputed without the causal mask", "[2]"),
    Mistake(60, "dV with P untransposed", "[2]"),
    Mistake(61, "delta dropped", "[1]"),
    Mistake(62, "delta summed over the queries", "[1]"),
    Mistake(63, "delta a mean, not a sum", "[1]"),
    Mistake(64, "delta from an output that was scaled by 1/sqrt(D)", "[1]"),
    Mistake(65, "softmax backwards without P in front", "[1]"),
    Mistake(66, "1/sqrt(D) missing in dQ", "[0]", "scale"),
    Mistake(67, "1/sqrt(D) twice in dK", "[1]", "scale"),
    Mistake(68, "dK with dS untransposed", "[1]"),
    Mistake(69, "dQ from Q instead of K", "[0]"),
    Mistake(70, "last row of dK and dV not written", "[2]"),
    Mistake(74, "dK and dV exchanged", "[2]", "swapped"),
    Mistake(75, "P rounded to bfloat16", "[2]"),
)

GROUPED = _model(
    "attention_grouped",
    11,
    Mistake(71, "dK and dV of the first head of each group only", "[2]"),
    Mistake(72, "dK and dV a mean over the heads of a group", "[2]", "scale"),
    Mistake(73, "heads laid out by tile instead of repeat", "[2]"),
)

MODELS = (SQUARE, GROUPED)
