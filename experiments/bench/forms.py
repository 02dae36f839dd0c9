"""Layers for autodiff, `f(params, x, key)` or of x alone: as a JAX user writes them, and in the
forms that differentiate best among those we know."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import jaxnn as nn

EPS, LAYER_EPS = nn.BatchNorm().eps, nn.LayerNorm().eps


def batch_norm(params: Any, x: Any, key: Any) -> Any:
    """As in the paper."""
    xhat = (x - x.mean(0)) / jnp.sqrt(x.var(0) + EPS)
    return params.scale * xhat + params.shift


def folded_batch_norm(params: Any, x: Any, key: Any) -> Any:
    """As one affine map of x, its scale and shift computed once a feature."""
    m = x.mean(0)
    s = params.scale * lax.rsqrt(jnp.square(x - m).mean(0) + EPS)
    return x * s + (params.shift - m * s)


def layer_norm(params: Any, x: Any, key: Any) -> Any:
    """As in the paper."""
    centred = x - x.mean(-1, keepdims=True)
    return params.scale * centred / jnp.sqrt(x.var(-1, keepdims=True) + LAYER_EPS) + params.shift


def layer_norm_by_blocks(params: Any, x: Any, key: Any) -> Any:
    """64 rows at a time, each block computed again on the way back, when it is in the cache."""
    block = jax.checkpoint(lambda part: layer_norm(params, part, key))
    return lax.map(block, x.reshape(-1, math.gcd(64, len(x)), x.shape[-1])).reshape(x.shape)


def rms_norm(params: Any, x: Any, key: Any) -> Any:
    """As in the paper."""
    return params.scale * x / jnp.sqrt(jnp.square(x).mean(-1, keepdims=True) + LAYER_EPS)


def group_norm(params: Any, x: Any, key: Any) -> Any:
    """As in the paper, with eight groups."""
    split = x.reshape(*x.shape[:-1], 8, -1)
    axes = (*range(1, x.ndim - 1), -1)
    m, v = split.mean(axes, keepdims=True), split.var(axes, keepdims=True)
    xhat = ((split - m) / jnp.sqrt(v + LAYER_EPS)).reshape(x.shape)
    return params.scale * xhat + params.shift


def dropout(rate: float) -> Callable[..., Any]:
    """A mask by `jax.random.bernoulli`."""

    def function(params: Any, x: Any, key: Any) -> Any:
        m = jax.random.bernoulli(key, 1 - rate, x.shape)
        return jnp.where(m, x / (1 - rate), 0)

    return function


def dropout_by_bytes(rate: float) -> Callable[..., Any]:
    """A byte for each entry: four from each word that is drawn, the rate in steps of 1/256."""

    def function(params: Any, x: Any, key: Any) -> Any:
        words = jax.random.bits(key, (x.size // 4,), jnp.uint32)
        m = lax.bitcast_convert_type(words, jnp.uint8).reshape(x.shape) < round(256 * (1 - rate))
        return jnp.where(m, x / (1 - rate), 0)

    return function


def dropconnect(rate: float) -> Callable[..., Any]:
    """The same mask on a weight."""
    return lambda params, x, key: x @ dropout(rate)((), params.w, key) + params.b


def stable_softplus(x: Any) -> Any:
    """log(1 + e^x) without logaddexp and what that does about infinities."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


def exact_gelu(x: Any) -> Any:
    """By erf, whose derivative is a single exponential."""
    return 0.5 * x * (1 + lax.erf(x / math.sqrt(2)))
