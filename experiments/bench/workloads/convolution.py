"""Convolutions, forward and backward: by hand, by autodiff in two forms, and by torch.

Autodiff gets `lax.conv_general_dilated`, and once more the product with patches that are cut out
and laid side by side, whose derivative JAX takes by products too.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

import jaxnn as nn
from experiments.bench import passes
from experiments.bench.method import races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload
from jaxnn.layers.images.windows import each


class Row(NamedTuple):
    """A convolution, the shape of x, and whether it is the first layer, where nobody wants dx."""

    layer: nn.Conv
    shape: tuple[int, ...]
    first: bool = False


ROWS = (
    Row(nn.Conv(20, 5), (32, 28, 28, 1), first=True),
    Row(nn.Conv(20, 5), (32, 28, 28, 1)),
    Row(nn.Conv(32, 3, padding="SAME"), (16, 28, 28, 1), first=True),
    Row(nn.Conv(40, 5), (16, 12, 12, 20)),
    Row(nn.Conv(32, 3, padding="SAME"), (16, 32, 32, 3), first=True),
    Row(nn.Conv(32, 3, padding="SAME"), (16, 32, 32, 4), first=True),
    Row(nn.Conv(64, 3, padding="SAME"), (16, 14, 14, 32)),
    Row(nn.Conv(64, 3, padding="SAME"), (8, 32, 32, 64)),
    Row(nn.Conv(32, 3, 2, "SAME"), (16, 28, 28, 16)),
)


def convolution(layer: nn.Conv) -> Callable[..., Any]:
    """As a user of JAX writes it."""
    strides = each(layer, "stride", (0, 0))
    padding: Any = layer.padding

    def function(params: Any, x: Any, key: Any) -> Any:
        numbers = ("NHWC", "HWIO", "NHWC")
        y = lax.conv_general_dilated(x, params.w, strides, padding, dimension_numbers=numbers)
        return y + params.b

    return function


def products(layer: nn.Conv) -> Callable[..., Any]:
    """Patches cut out by slices, times the kernel as a matrix."""
    k, s = (each(layer, name, (0, 0))[0] for name in ("window", "stride"))

    def function(params: Any, x: Any, key: Any) -> Any:
        if layer.padding == "SAME":
            total = [max((-(-n // s) - 1) * s + k - n, 0) for n in x.shape[1:3]]
            x = jnp.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)))
        height, width = ((n - k) // s + 1 for n in x.shape[1:3])
        cut = [
            x[:, i : i + s * height : s, j : j + s * width : s] for i in range(k) for j in range(k)
        ]
        w = params.w.reshape(-1, params.w.shape[-1])
        return jnp.concatenate([c[:, :height, :width] for c in cut], -1) @ w + params.b

    return function


def by_torch(layer: nn.Conv) -> Callable[..., Any]:
    """`conv2d` of tensors whose channels are last in memory, as torch advises for a CPU."""

    def function(torch: Any, params: Any, x: Any) -> Any:
        x = x.permute(0, 3, 1, 2)
        if layer.padding == "SAME" and layer.stride == 2:
            x = torch.nn.functional.pad(x, (0, 1, 0, 1))
        padding = "same" if layer.padding == "SAME" and layer.stride == 1 else 0
        w = params[0].permute(3, 2, 0, 1)
        y = torch.nn.functional.conv2d(x, w, params[1], layer.stride, padding)
        return y.permute(0, 2, 3, 1)

    return function


def title(row: Row) -> str:
    """As in Conv(20, 5), 32 x 28 x 28 x 1, without dx."""
    return f"{row.layer!r}, {' x '.join(map(str, row.shape))}{', without dx' * row.first}"


def race(row: Row) -> Case:
    """A row as a case."""
    layer, first = row.layer, row.first
    idiomatic = passes.by_autodiff(convolution(layer), first)
    strongest = passes.by_autodiff(products(layer), first)
    peer = passes.by_torch(by_torch(layer), first)
    found = [
        Contender("jaxnn", "ours", passes.by_hand(layer, first), passes.arrays),
        Contender("jax.vjp", "idiomatic", idiomatic, passes.arrays),
        Contender("jax.vjp, patches", "strongest", strongest, passes.arrays),
        Contender("torch, eager", "peer", peer, passes.arrays, "torch"),
    ]
    return Case(title(row), passes.draw(row.layer, row.shape), found)


def cases(quick: bool) -> Iterator[Case]:
    """All rows; two examples each if quick."""
    for row in ROWS:
        yield race(row._replace(shape=(2, *row.shape[1:])) if quick else row)


def speed(row: Row) -> Callable[[Found], float | None]:
    """Ours beside the convolution that `jax.vjp` differentiates."""
    return lambda found: found.speed(title(row), "ours", "idiomatic")


def elsewhere(found: Found) -> float | None:
    """The least speed where channels are many."""
    return min((s for row in ROWS[6:] if (s := speed(row)(found)) is not None), default=None)


WORKLOAD = Workload(
    "convolution",
    "XLA's convolutions are at their best with many channels, where ours are the same. It wastes "
    "work on the way back to few channels, and to an image that is much larger than the map of "
    "errors; there one product and shifted sums are faster.",
    races(cases),
    (
        Goal(5, "28 x 28 x 1, 5 x 5, without dx: beside jax.vjp", ">= 1.3", speed(ROWS[0])),
        Goal(5, "28 x 28 x 1, 5 x 5, with dx: beside jax.vjp", ">= 2.5", speed(ROWS[1])),
        Goal(5, "12 x 12 x 20, 5 x 5: beside jax.vjp", ">= 1.3", speed(ROWS[3])),
        Goal(5, "RGB padded to 4 channels, without dx: beside jax.vjp", ">= 0.97", speed(ROWS[5])),
        Goal(5, "many channels: beside jax.vjp, the least", ">= 0.97", elsewhere),
    ),
)
