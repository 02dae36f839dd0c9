"""Pools, forward and backward: by hand, by autodiff in two forms, and by torch."""

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
from jax import lax

import jaxnn as nn
from experiments.bench.method import races
from experiments.bench.workload import Case, Found, Goal, Workload, ratio
from experiments.bench.workloads.layers import Row, plain, race

IMAGES = (32, 28, 28, 32)


def reduced(window: int, stride: int, padding: int, start: float, by: Any) -> Callable[..., Any]:
    """A pool as JAX has it."""
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    size, step = (1, window, window, 1), (1, stride, stride, 1)
    return plain(lambda x: lax.reduce_window(x, start, by, size, step, pads))


def by_reshape(window: int) -> Callable[..., Any]:
    """Max-pooling where windows stand apart: the largest entry along two axes of a view."""

    def function(x: Any) -> Any:
        n, h, w, c = x.shape
        return x.reshape(n, h // window, window, w // window, window, c).max((2, 4))

    return plain(function)


def channels_first(name: str, *given: int) -> Callable[..., Any]:
    """The function of that name in `torch.nn.functional`, on a view with channels first."""

    def function(torch: Any, params: Any, x: Any) -> Any:
        y = getattr(torch.nn.functional, name)(x.permute(0, 3, 1, 2), *given)
        return y.permute(0, 2, 3, 1)

    return function


def pools() -> Iterator[Row]:
    """Windows that stand apart, and windows that overlap."""
    for given in ((2, 2, 0), (4, 4, 0), (3, 2, 0), (3, 2, 1)):
        window, stride, padding = given
        apart = window == stride
        yield Row(
            nn.MaxPool(window) if apart else nn.MaxPool(window, stride, padding),
            IMAGES,
            reduced(*given, -jnp.inf, lax.max),
            by_reshape(window) if apart else None,
            channels_first("max_pool2d", *given),
        )
    for given in ((2, 2, 0), (3, 2, 1)):
        window, stride, padding = given
        sums = reduced(*given, 0.0, lax.add)
        yield Row(
            nn.AvgPool(window, stride, padding, count_padding=True),
            IMAGES,
            lambda p, x, key, sums=sums, n=window**2: sums(p, x, key) / n,
            None,
            channels_first("avg_pool2d", *given),
        )


def cases(quick: bool) -> Iterator[Case]:
    """All of them; with a batch of 4 if quick."""
    for row in pools():
        yield race(row._replace(shape=(4, *row.shape[1:])) if quick else row)


def speed(other: str) -> Callable[[Found], float | None]:
    """Max-pooling by 2 x 2 beside another role."""
    return lambda found: found.speed(POOL, "ours", other)


def memory(found: Found) -> float | None:
    """The temporary memory of max-pooling by 2 x 2, that of `jax.vjp` being 1."""
    return ratio(*(found.figure(POOL, role, "temp MB") for role in ("ours", "idiomatic")))


POOL = f"{nn.MaxPool(2)!r}, {' x '.join(map(str, IMAGES))}"
WORKLOAD = Workload(
    "pooling",
    "XLA goes back through a max-pool by a scatter, entry by entry. By hand one byte says which "
    "entry was the largest, and going back is a comparison.",
    races(cases),
    (
        Goal(6, "max-pool 2 x 2: beside jax.vjp", ">= 11", speed("idiomatic")),
        Goal(6, "max-pool 2 x 2: beside the best form of autodiff", ">= 3.2", speed("strongest")),
        Goal(6, "max-pool 2 x 2: temporary memory, jax.vjp being 1", "<= 0.001", memory),
    ),
)
