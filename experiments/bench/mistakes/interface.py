"""Mistakes of the interface: what a backward pass returns and keeps, not what it computes.

Most are seen only when a checker does one thing more than to compare numbers; the name of a
mistake says which. Three models, because two of the mistakes need their own: a dense layer with an
integer argument, a scalar loss for the second order, and a dense layer given NumPy arrays.
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.custom_batching import custom_vmap

from experiments.bench.mistakes.model import Candidate, Mistake, Model
from experiments.bench.mistakes.planting import planted

ROWS, N_IN, N_OUT = 13, 3, 5


def dense(x: Any, params: Any, counts: Any) -> Any:
    """y = counts tanh(x w + b) for x (n, n_in), params {w (n_in, n_out), b}, integers (n,)."""
    h = jnp.tanh(x @ params["w"] + params["b"])
    return counts[:, None].astype(h.dtype) * h


def _plant(number: int) -> Candidate:
    """A candidate with a state of its own, which two of the mistakes keep from call to call.

    Raises ValueError for a number that is neither 0 nor one of the model's mistakes.
    """
    if number not in (numbers := [0, *(mistake.number for mistake in DENSE.mistakes)]):
        raise ValueError(f"{DENSE.name}: expected a mistake out of {numbers}, got {number!r}")
    remembered: dict[Any, Any] = {}
    calls = itertools.count(1)

    def backward(args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
        x, params, counts = args
        h = jnp.tanh(x @ params["w"] + params["b"])
        if number == 103:
            h = _of_the_call_before(remembered, h)
        delta = counts[:, None].astype(h.dtype) * dy * (1.0 - h * h)
        dx = delta @ params["w"].T
        if number == 109:  # drawn anew in each call, as threads that race arrive in any order
            order = np.random.default_rng().permutation(len(x))
            x, delta = x[order], delta[order]
        dw, db = x.T @ delta, delta.sum(0)
        if number == 104:
            db = db * float(next(calls))
        if number == 106 and isinstance(dy, Tracer):
            db = 2.0 * db
        if number == 110:
            dw = x.sum(0)[:, None] * delta.sum(0)
        dcounts = (h * dy).sum(-1) if number == 101 else None
        return dx, _as_returned(number, dw, db), dcounts

    return Candidate(_off_by_one_percent if number == 108 else dense, backward)


def _as_returned(number: int, dw: Any, db: Any) -> dict[str, Any]:
    """The gradients of the parameters in the form in which they are handed back."""
    if number == 97:
        dw = _in_another_precision(dw)
    if number == 98:
        db = db[None]
    if number == 100:
        db = None
    if number == 105:
        db = _kernel(db)
    return {"w": dw} if number == 99 else {"w": dw, "b": db}


def _of_the_call_before(remembered: dict[Any, Any], h: Any) -> Any:
    """The h of the last call with these shapes; tracers are not kept, they would not outlive it."""
    kind = (h.shape, h.dtype)
    before = remembered.get(kind, h)
    if not isinstance(h, Tracer):
        remembered[kind] = h
    return before


def _in_another_precision(a: Any) -> Any:
    """float64; float32 if that is what it had to be."""
    with jax.enable_x64(True):
        return a.astype(jnp.float32 if a.dtype == jnp.float64 else jnp.float64)


@custom_vmap
def _kernel(a: Any) -> Any:
    """Stands for a kernel that somebody wrote for one example and no more."""
    return a


@_kernel.def_vmap
def _no_rule(*_: Any) -> Any:
    raise NotImplementedError("this kernel cannot be vmapped")


def _off_by_one_percent(x: Any, params: Any, counts: Any) -> Any:
    return 1.01 * dense(x, params, counts)


def squares(x: Any, params: Any) -> Any:
    """The scalar loss |tanh(x w + b)|^2 / 2 for x (n, n_in), params {w (n_in, n_out), b}."""
    h = jnp.tanh(x @ params["w"] + params["b"])
    return 0.5 * (h * h).sum()


def _squares_backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    x, params = args
    h = jnp.tanh(x @ params["w"] + params["b"])
    if number == 107:
        h = jax.lax.stop_gradient(h)
    delta = dy * h * (1.0 - h * h)
    return delta @ params["w"].T, {"w": x.T @ delta, "b": delta.sum(0)}


def plain_dense(x: Any, params: Any) -> Any:
    """y = x w + b for x (n, n_in), params {w (n_in, n_out), b}: of NumPy arrays, in NumPy."""
    return x @ params["w"] + params["b"]


def _plain_backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    x, params = args
    dw, db, dx = x.T @ dy, dy.sum(0), dy @ params["w"].T
    if number == 102:
        x *= 0.0  # in place where x is a NumPy array; a JAX array is replaced, which harms nobody
        x += dx
        dx = x
    return dx, {"w": dw, "b": db}


def _draw_plain(seed: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(seed)
    shapes = {"x": (ROWS, N_IN), "w": (N_IN, N_OUT), "b": (N_OUT,)}
    arrays = {k: 0.5 * rng.standard_normal(s, np.float32) for k, s in shapes.items()}
    return arrays.pop("x"), arrays


def _draw_squares(seed: int) -> tuple[Any, ...]:
    return jax.tree.map(jnp.asarray, _draw_plain(seed))


def _draw(seed: int) -> tuple[Any, ...]:
    counts = np.random.default_rng([seed, 1]).integers(1, 4, ROWS)
    return *_draw_squares(seed), jnp.asarray(counts, jnp.int32)


DENSE = Model(
    "dense_counts",
    dense,
    _draw,
    _plant,
    (
        Mistake(97, "dw in float64, or in float32 for float64", "[1]['w']"),
        Mistake(98, "db of shape (1, n) for (n,)", "[1]['b']"),
        Mistake(99, "db not among the gradients", "[1]['b']"),
        Mistake(100, "None for db", "[1]['b']"),
        Mistake(101, "floats for the integer argument", "[2]"),
        Mistake(103, "residual of the call before: call with other arguments", "[1]['b']"),
        Mistake(104, "db times the number of calls: call twice", "[1]['b']"),
        Mistake(105, "cannot be vmapped: vmap over cotangents"),
        Mistake(106, "db doubled where traced: jit beside eager", "[1]['b']"),
        Mistake(108, "forward 1 % off: compare it with the reference"),
        Mistake(109, "sums in random order: run twice, eager, bit for bit", "[1]['b']"),
        Mistake(110, "dw a product of sums, right for a batch of one", "[1]['w']"),
    ),
)

SQUARES = planted(
    "scalar_loss",
    squares,
    _squares_backward,
    _draw_squares,
    (Mistake(107, "right, but constant to autodiff: go to the second order", "[1]['b']"),),
)

PLAIN = planted(
    "dense_numpy",
    plain_dense,
    _plain_backward,
    _draw_plain,
    (Mistake(102, "argument x overwritten: look at a NumPy x afterwards", "[0]"),),
)

MODELS = (DENSE, SQUARES, PLAIN)
