"""Convolution with stride, padding and bias, and max-pooling over windows that do not overlap.

    y[b, p] = sum_k patch[b, p, k] w[k] + bias      patch[b, p, k] = x[b, stride p + k - padding]

With p a position and k an offset in the window, both of two axes, dw sums patch * dy over b and p,
and dx adds dy w' back to where each patch was read. Source: LeCun et al. 1989.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake, Model
from experiments.bench.mistakes.planting import normal, planted

BATCH, IMAGE, STRIDE, PADDING, POOL = 2, (7, 11), 2, 1, (2, 3)


def convolve(x: Any, params: Any) -> Any:
    """y (B, *positions, n_out) for x (B, H, W, n_in) and params {w (*window, n_in, n_out), b}."""
    return params["b"] + jax.lax.conv_general_dilated(
        x,
        params["w"],
        (STRIDE, STRIDE),
        [(PADDING, PADDING), (PADDING, PADDING)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _padded(x: Any, before: int, after: int) -> Any:
    return jnp.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))


def _where_read(stride: int, positions: tuple[int, ...], window: tuple[int, ...]) -> Any:
    """Rows and columns of the padded image in each patch: together (*positions, *window)."""
    rows, columns = (
        stride * np.arange(p)[:, None] + np.arange(k)
        for p, k in zip(positions, window, strict=True)
    )
    return rows[:, None, :, None], columns[None, :, None, :]


def _backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    x, params = args
    w, shift = params["w"], int(number == 86)
    at = _where_read(1 if number == 85 else STRIDE, dy.shape[1:3], w.shape[:2])
    patches = _padded(x, PADDING + shift, PADDING - shift)[:, *at]
    dw = jnp.einsum("bpqijc,bpqo->ijco", patches, dy)
    if number == 83:
        w = w[::-1, ::-1]
    d_patches = jnp.einsum("bpqo,ijoc->bpqijc" if number == 84 else "bpqo,ijco->bpqijc", dy, w)
    start = PADDING + 1 if number == 87 else PADDING
    _, height, width, _ = x.shape
    dx = jnp.zeros_like(_padded(x, PADDING, PADDING)).at[:, *at].add(d_patches)
    dx = dx[:, start : start + height, start : start + width]
    if number == 88:
        dx = dx.at[:, -1].set(0.0)
    return dx, {"w": _kernel_mistake(number, dw), "b": _bias(number, dy)}


def _kernel_mistake(number: int, dw: Any) -> Any:
    if number == 80:
        return dw[::-1, ::-1]
    if number == 81:
        return dw.swapaxes(0, 1)
    return dw.swapaxes(2, 3) if number == 82 else dw


def _bias(number: int, dy: Any) -> Any:
    if number == 90:
        return dy[0].sum((0, 1))
    return dy.mean((0, 1, 2)) if number == 89 else dy.sum((0, 1, 2))


def pool(x: Any) -> Any:
    """The largest entry of each window of POOL, (B, H/2, W/3, n) for x (B, H, W, n)."""
    return _windows(x).max((2, 4))


def _windows(x: Any) -> Any:
    batch, height, width, n = x.shape
    return x.reshape(batch, height // POOL[0], POOL[0], width // POOL[1], POOL[1], n)


def _pool_backward(number: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    (x,) = args
    inside, dy = _windows(x), dy[:, :, None, :, None]
    share = (inside == inside.max((2, 4), keepdims=True)).astype(x.dtype)
    if number == 91:
        share = jnp.zeros_like(inside).at[:, :, 0, :, 0].set(1.0)
    if number == 92:
        share = jnp.full_like(inside, 1 / (POOL[0] * POOL[1]))
    return ((share * dy).reshape(x.shape),)


def _draw(window: tuple[int, int], n_in: int, n_out: int, seed: int) -> tuple[Any, ...]:
    """Every entry of the image is read: the last windows end where the image does, or behind."""
    rng = np.random.default_rng(seed)
    x = normal(rng, BATCH, *IMAGE, n_in)
    return x, {"w": normal(rng, *window, n_in, n_out), "b": normal(rng, n_out)}


def _draw_pool(seed: int) -> tuple[Any, ...]:
    """In each window the integers 0 to 5 in random order, plus noise too small to make a tie."""
    rng = np.random.default_rng(seed)
    x = rng.permuted(np.tile(np.arange(6.0), (2, 2, 3, 5, 1)), axis=-1)
    x = x + rng.uniform(-0.3, 0.3, x.shape)
    x = x.reshape(2, 2, 3, 5, *POOL).transpose(0, 1, 4, 2, 5, 3).reshape(2, 4, 9, 5)
    return (jnp.asarray(x, jnp.float32),)


def _model(name: str, draw: Any, *mistakes: Mistake) -> Model:
    constants = {"batch": BATCH, "batch x positions": BATCH * 4 * 6}
    return planted(name, convolve, _backward, draw, mistakes, constants=constants)


MODELS = (
    _model(
        "convolution",
        partial(_draw, (3, 2), 5, 7),
        Mistake(80, "dw flipped", "[1]['w']"),
        Mistake(83, "dx with the kernel flipped", "[0]"),
        Mistake(85, "stride taken for 1", "[1]['w']"),
        Mistake(86, "padding off by one in the patches", "[1]['w']"),
        Mistake(87, "crop of dx off by one", "[0]"),
        Mistake(88, "last row of dx lost", "[0]"),
        Mistake(89, "bias: a mean, not a sum", "[1]['b']", "scale"),
        Mistake(90, "bias: first example only", "[1]['b']"),
    ),
    _model(
        "convolution_square",  # so that a transposed kernel fits
        partial(_draw, (3, 3), 5, 5),
        Mistake(81, "dw with the axes of the window transposed", "[1]['w']", "transposed|permuted"),
        Mistake(82, "dw with inputs and outputs transposed", "[1]['w']", "transposed|permuted"),
        Mistake(84, "dx with inputs and outputs of the kernel transposed", "[0]"),
    ),
    planted(
        "max_pooling",
        pool,
        _pool_backward,
        _draw_pool,
        (
            Mistake(91, "everything to the first cell of a window", "[0]"),
            Mistake(92, "an even share to every cell of a window", "[0]"),
        ),
    ),
)
