"""Random numbers without a program for each shape: the numbers of `jax.random`, bit for bit.

`jax.random` compiles threefry, the function behind its keys, anew for every shape: half a second
each on a CPU, most of the time until a small network trains. Element i of a draw depends on i
alone, though, so threefry can as well run here, in NumPy, and what turns its words into normal
numbers is compiled once, for chunks of one size. A traced key, one of another kind, one committed
to a device, and more than 2^22 numbers at once are left to `jax.random` itself.

Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", sec. 3.2.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.core.refusals import is_concrete
from jaxnn.core.types import Array, Dtype, Key

_CHUNK = 1 << 16
_LIMIT = 1 << 22  # numbers, which take as long here as a program takes to compile
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def split(key: Key, n: int = 2) -> list[Any]:
    """The n keys of `jax.random.split(key, n)`, in a list."""
    words = _words(key)
    if words is None:
        return list(jax.random.split(key, n))
    return [_key(each) for each in np.stack(_threefry(words, 0, n), axis=1)]


def fold_in(key: Key, number: int) -> Any:
    """The key of `jax.random.fold_in(key, number)`, for a whole number in [0, 2^32)."""
    words = _words(key, (), np.float32, number)
    if words is None:
        return jax.random.fold_in(key, number)
    return _key(np.concatenate(_threefry(words, number, 1)))


def uniform(key: Key, shape: tuple[int, ...], dtype: Dtype, low: float, high: float) -> Array:
    """`jax.random.uniform(key, shape, dtype, low, high)`: uniform on [low, high)."""
    words = _words(key, shape, dtype, low, high)
    if words is None:
        return jax.random.uniform(key, shape, dtype, low, high)
    ends = np.asarray(low, dtype), np.asarray(high, dtype)
    return jax.device_put(_draw(words, shape, dtype, lambda u: _between(u, *ends)))


def normal(key: Key, shape: tuple[int, ...], dtype: Dtype, mean: float, std: float) -> Array:
    """`mean + std * jax.random.normal(key, shape, dtype)`."""
    words = _words(key, shape, dtype, mean, std)
    if words is None:
        return mean + std * jax.random.normal(key, shape, dtype)
    drawn = _draw(words, shape, dtype, _quantiles)
    return jax.device_put(np.asarray(mean, dtype) + np.asarray(std, dtype) * drawn)


def full(key: Key, shape: tuple[int, ...], dtype: Dtype, value: float) -> Array:
    """`jnp.full(shape, value, dtype)`; the key says no more than whether this is being traced."""
    if _words(key, shape, dtype, value) is None:
        return jnp.full(shape, value, dtype)
    return jax.device_put(np.full(shape, value, dtype))


def _words(key: Key, shape: Any = (), dtype: Dtype = np.float32, *numbers: Any) -> Any:
    """The two words of the key, (2,), or None where `jax.random` has to answer."""
    if any(isinstance(number, Array) for number in numbers):  # they may be traced
        return None
    kind = jax.dtypes.prng_key
    if not isinstance(key, Array) or not jnp.issubdtype(key.dtype, kind) or key.shape:
        return None
    ours = jax.random.key_impl(key) == "threefry2x32"
    ours &= jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
    plain = dtype in (np.float32, np.float64) and jax.dtypes.canonicalize_dtype(dtype) == dtype
    if not ours or not plain or math.prod(shape) > _LIMIT:
        return None
    words = jax.random.key_data(key)  # a tracer inside jit, even of a key from outside
    if not is_concrete(words) or words.committed:
        return None
    return np.asarray(words)


def _key(words: Any) -> Any:
    return jax.random.wrap_key_data(words, impl="threefry2x32")


def _threefry(words: Any, start: int, n: int) -> tuple[Any, Any]:
    """Threefry-2x32 with 20 rounds of the counters start, ..., start + n - 1: two words of each."""
    keys = (*words, words[0] ^ words[1] ^ np.uint32(0x1BD11BDA))
    counters = np.arange(start, start + n, dtype=np.uint32)
    x, y = np.full(n, keys[0]), counters + keys[1]  # the counters' upper words are 0
    for i in range(5):
        for rotation in _ROTATIONS[i % 2]:
            x += y
            y = (y << np.uint32(rotation)) | (y >> np.uint32(32 - rotation))
            y ^= x
        x += keys[(i + 1) % 3]
        y += keys[(i + 2) % 3]
        y += np.uint32(i + 1)
    return x, y


def _draw(
    words: Any, shape: tuple[int, ...], dtype: Dtype, transform: Callable[[Any], Any]
) -> np.ndarray:
    """`transform` of fractions k / 2^m, with m the number of bits of the mantissa."""
    n, dtype = math.prod(shape), np.dtype(dtype)
    drawn = np.zeros((-(-n // _CHUNK), _CHUNK), dtype)
    for i, row in enumerate(drawn):
        x, y = _threefry(words, i * _CHUNK, min(n - i * _CHUNK, _CHUNK))
        bits = x ^ y if dtype == np.float32 else x.astype(np.uint64) << np.uint64(32) | y
        kept = np.finfo(dtype).nmant
        row[: len(bits)] = (bits >> (8 * dtype.itemsize - kept)).astype(dtype) * 2.0**-kept
        row[:] = transform(row)
    return drawn.reshape(-1)[:n].reshape(shape)


@jax.jit
def _between(u: Array, low: Any, high: Any) -> Any:
    return lax.max(low, u * (high - low) + low)


@jax.jit
def _quantiles(u: Array) -> Any:
    """Normal numbers from uniform ones, by the inverse of the distribution function."""
    one, root = np.ones((), u.dtype), np.asarray(math.sqrt(2), u.dtype)
    return root * lax.erf_inv(_between(u, np.nextafter(-one, 0 * one), one))
