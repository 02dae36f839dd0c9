"""Layers the library does not have yet, written against its contract to find out what it lacks.

They are here to stress the contract: time, one table used twice. None of them needs an exception
from it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnn import Layer
from jaxnn.core import Outer, Rows, Sum, Table, Tied
from jaxnn.core.inputs import count, main_of
from jaxnn.initializers import lecun, normal


class Gates(NamedTuple):
    """Parameters of a recurrent layer: w_x (n_in, 4 n), w_h (n, 4 n), b (4 n,)."""

    w_x: Any
    w_h: Any
    b: Any


class LSTM(Layer):
    """A long short-term memory over time: x (batch, time, n_in) to h (batch, time, n).

        z_t = x_t w_x + h_(t-1) w_h + b = [i, f, g, o]
        c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g),   h_t = sigmoid(o) tanh(c_t)

    Of (x, lengths) the positions from a length on leave the state as it is: y is 0 there, and no
    error comes from them. Backward runs against time and leaves dz_t; the weights are then
    contracted in one product. Residuals: x, the lengths, h_(t-1), c_(t-1), c_t and the gates.
    Source: Hochreiter and Schmidhuber 1997.
    """

    n: int
    mixes_positions = True

    def init(self, key: Any, x: Any) -> Gates:
        x, key_x, key_h = main_of(x), *jax.random.split(key)
        w_x = lecun(key_x, (x.shape[-1], 4 * self.n), x.dtype)
        return Gates(
            w_x, lecun(key_h, (self.n, 4 * self.n), x.dtype), jnp.zeros(4 * self.n, x.dtype)
        )

    def forward(self, params: Gates, x: Any, key: Any = None) -> tuple[Any, Any]:
        return self.resume(params, self.begin(params, x), x)[:2]

    def begin(self, params: Gates, x: Any) -> tuple[Any, Any]:
        zero = jnp.zeros((count(x), self.n), main_of(x).dtype)
        return zero, zero

    def resume(self, params: Gates, state: Any, x: Any, key: Any = None) -> tuple[Any, Any, Any]:
        def tick(carry: Any, step: Any) -> Any:
            (h0, c0), (x_t, on) = carry, step
            z = x_t @ params.w_x + h0 @ params.w_h + params.b
            i, f, g, o = jnp.split(z, 4, axis=-1)
            i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
            c = _where(on, f * c0 + i * g, c0)
            h = _where(on, o * jnp.tanh(c), h0)
            return (h, c), (_where(on, h, 0), (h0, c0, c, i, f, g, o))

        x, lengths = x if isinstance(x, tuple) else (x, None)
        steps = x.swapaxes(0, 1), _counts(lengths, x.shape[1])
        state, (h, kept) = lax.scan(tick, state, steps)
        return h.swapaxes(0, 1), (x, lengths, kept), state

    def backward(self, params: Gates, residuals: Any, dy: Any, read: Any) -> tuple[Any, Any]:
        x, lengths, kept = residuals

        def tock(carry: Any, step: Any) -> Any:
            (dh0, dc0), (dh_t, on, (_, c0, c, i, f, g, o)) = carry, step
            dh = dh0 + dh_t
            t = jnp.tanh(c)
            dc = dc0 + dh * o * (1 - t * t)
            di, df, dg, do = dc * g, dc * c0, dc * i, dh * t
            dz = jnp.concatenate(
                [di * i * (1 - i), df * f * (1 - f), dg * (1 - g * g), do * o * (1 - o)], axis=-1
            )
            dz = _where(on, dz, 0)
            return (_where(on, dz @ params.w_h.T, dh0), _where(on, dc * f, dc0)), dz

        zero = jnp.zeros_like(kept[0][0])
        steps = dy.swapaxes(0, 1), _counts(lengths, x.shape[1]), kept
        _, dz = lax.scan(tock, (zero, zero), steps, reverse=True)
        dz, h0 = dz.swapaxes(0, 1), kept[0].swapaxes(0, 1)
        readings = Gates(read(Outer(x, dz)), read(Outer(h0, dz)), read(Sum(dz)))
        dx = dz @ params.w_x.T
        return (dx if lengths is None else (dx, None)), readings


def _counts(lengths: Any, n: int) -> Any:
    """Which of n positions count, (n, batch, 1); None where all do."""
    if lengths is None:
        return None
    return (jnp.arange(n, dtype=lengths.dtype)[:, None] < lengths)[..., None]


def _where(on: Any, a: Any, b: Any) -> Any:
    return a if on is None else jnp.where(on, a, b)


class Projections(NamedTuple):
    """Parameters of an attention: w_q (n_in, n), w_k and w_v (n_memory, n)."""

    w_q: Any
    w_k: Any
    w_v: Any


class CrossAttention(Layer):
    """What x asks of a memory: (x, memory) to y (batch, time, n), one head.

        q = x w_q,   k = memory w_k,   v = memory w_v,   p = softmax(q k^T / sqrt(n)),   y = p v

    Shapes: x (batch, time, n_in), memory (batch, positions, n_memory). dx and dmemory are a tuple.
    Residuals: x, memory, q, k, v and p. Source: Vaswani et al. 2017, section 3.2.
    """

    n: int

    def init(self, key: Any, x: Any) -> Projections:
        x, memory = x
        n_in, n_memory = (x.shape[-1], self.n), (memory.shape[-1], self.n)
        keys = jax.random.split(key, 3)
        shapes = n_in, n_memory, n_memory
        return Projections(*(lecun(k, s, x.dtype) for k, s in zip(keys, shapes, strict=True)))

    def forward(self, params: Projections, x: Any, key: Any = None) -> tuple[Any, Any]:
        x, memory = x
        q, k, v = x @ params.w_q, memory @ params.w_k, memory @ params.w_v
        p = jax.nn.softmax(q @ k.swapaxes(1, 2) / self.n**0.5)
        return p @ v, (x, memory, q, k, v, p)

    def backward(self, params: Projections, residuals: Any, dy: Any, read: Any) -> tuple[Any, Any]:
        x, memory, q, k, v, p = residuals
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / self.n**0.5
        dq, dk, dv = ds @ k, ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy
        readings = read(Outer(x, dq)), read(Outer(memory, dk)), read(Outer(memory, dv))
        dmemory = dk @ params.w_k.T + dv @ params.w_v.T
        return (dq @ params.w_q.T, dmemory), Projections(*readings)


class Cache(NamedTuple):
    """What a causal attention has seen: keys and values (batch, length, n), how many (batch,)."""

    k: Any
    v: Any
    at: Any


class CausalAttention(Layer):
    """What each position asks of those up to itself: x (batch, time, n_in) to y (batch, time, n).

        q = x w_q,   k = x w_k,   v = x w_v,   p = softmax(q k^T / sqrt(n)) over s <= t,   y = p v

    The state holds `length` positions; y is nan at calls that want more. Residuals: x, k, v, p and
    how many positions went before. Source: Vaswani et al. 2017, section 3.2.
    """

    n: int
    length: int = 16
    mixes_positions = True

    def init(self, key: Any, x: Any) -> Projections:
        return CrossAttention(self.n).init(key, (x, x))

    def forward(self, params: Projections, x: Any, key: Any = None) -> tuple[Any, Any]:
        k, v = x @ params.w_k, x @ params.w_v
        y, p = self._attend(x @ params.w_q, k, v, jnp.arange(x.shape[1])[None])
        return y, (x, k, v, p, None)

    def begin(self, params: Projections, x: Any) -> Cache:
        zeros = jnp.zeros((x.shape[0], self.length, self.n), x.dtype)
        return Cache(zeros, zeros, jnp.zeros(x.shape[0], jnp.int32))

    def resume(
        self, params: Projections, state: Cache, x: Any, key: Any = None
    ) -> tuple[Any, Any, Cache]:
        put = jax.vmap(lambda cache, new, at: lax.dynamic_update_slice_in_dim(cache, new, at, 0))
        at, n = state.at, x.shape[1]
        k, v = put(state.k, x @ params.w_k, at), put(state.v, x @ params.w_v, at)
        y, p = self._attend(x @ params.w_q, k, v, at[:, None] + jnp.arange(n, dtype=at.dtype))
        y = jnp.where((at + n <= self.length)[:, None, None], y, jnp.nan)
        return y, (x, k, v, p, at), Cache(k, v, at + n)

    def _attend(self, q: Any, k: Any, v: Any, t: Any) -> tuple[Any, Any]:
        """(y, p) of queries at the positions t."""
        z = q @ k.swapaxes(1, 2) / self.n**0.5
        before = jnp.arange(k.shape[1], dtype=t.dtype) <= t[..., None]
        p = jax.nn.softmax(jnp.where(before, z, -jnp.inf))
        return p @ v, p

    def backward(self, params: Projections, residuals: Any, dy: Any, read: Any) -> tuple[Any, Any]:
        x, k, v, p, at = residuals
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - (p * dp).sum(-1, keepdims=True)) / self.n**0.5
        dq, dk, dv = ds @ k, ds.swapaxes(1, 2) @ (x @ params.w_q), p.swapaxes(1, 2) @ dy
        if at is not None:  # what went before is a constant
            new = jax.vmap(lambda d, at: lax.dynamic_slice_in_dim(d, at, x.shape[1], 0))
            dk, dv = new(dk, at), new(dv, at)
        readings = (read(Outer(x, d)) for d in (dq, dk, dv))
        return dq @ params.w_q.T + dk @ params.w_k.T + dv @ params.w_v.T, Projections(*readings)


class TiedTable(Layer):
    """One table both as embedding and as output: e = rows[x], y = inner(e) rows^T.

    x holds ids (batch, time), y logits (batch, time, n). The gradient of the table is the sum of
    what its two uses say. Parameters: (Table, those of inner). Source: Press and Wolf 2017.
    """

    n: int
    width: int
    inner: Layer

    def init(self, key: Any, x: Any) -> Any:
        key_rows, key_inner = jax.random.split(key)
        rows = normal(1.0)(key_rows, (self.n, self.width), jnp.zeros(()).dtype)
        e = jax.ShapeDtypeStruct((*x.shape, self.width), rows.dtype)
        return Table(rows), self.inner.init(key_inner, e)

    def forward(self, params: Any, x: Any, key: Any = None) -> tuple[Any, Any]:
        table, inner = params
        h, residuals = self.inner.forward(inner, table.rows[x], key)
        return h @ table.rows.T, (x, h, residuals)

    def backward(self, params: Any, residuals: Any, dy: Any, read: Any) -> tuple[Any, Any]:
        (table, inner), (x, h, r) = params, residuals
        de, readings = self.inner.backward(inner, r, dy @ table.rows, read)
        factor = Tied((Outer(h, dy, transpose=True), Rows(x, de, n=self.n)))
        return None, (Table(read(factor)), readings)
