"""Networks of threshold units with parameters set by hand: gates, and regions of space.

A layer of m units is an `Affine` with w (k, m) and b (m,), such as `jaxnn.Dense(m)` takes, and
`step` behind it. `threshold_network` stacks such layers, and `beside` joins units on the same
inputs. Half-planes are such a layer; an AND of half-planes is a convex region, an OR of convex
regions any region with flat sides, and one OR for each class tells classes apart.

Gates take and give 0 and 1. Their weighted sums of such inputs are never within 1/2 of 0, where
the output of a unit changes. Parameters are of JAX's default float: float32, or float64 under x64.
Source: McCulloch and Pitts 1943 (gates); Minsky and Papert 1969 (XOR); Lippmann 1987 (regions).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnn.core.parameters import Affine
from jaxnn.core.types import ArrayLike
from jaxnn.layers.activations import step
from jaxnn.layers.combinators import Serial, serial
from jaxnn.layers.dense import Dense


def and_gate(*sizes: int) -> Affine:
    """One AND for each size: 1 where all its inputs are 1.

        w = 1, b = 1/2 - size

    `and_gate(2)` is AND of two inputs; `and_gate(2, 3)` has five inputs, the first two for the
    first unit, the others for the second. Raises ValueError unless sizes are whole numbers >= 1.
    """
    return Affine(_groups(sizes), 0.5 - jnp.asarray(sizes, float))


def or_gate(*sizes: int) -> Affine:
    """One OR for each size: 1 where at least one of its inputs is 1.

        w = 1, b = -1/2

    Sizes and errors as for `and_gate`.
    """
    return Affine(_groups(sizes), jnp.full(len(sizes), -0.5))


def negated(gate: Affine) -> Affine:
    """The units with outputs 0 and 1 exchanged, for inputs whose weighted sum is not 0.

        w -> -w, b -> -b

    `negated(and_gate(2))` is NAND, `negated(or_gate(1))` is NOT.
    """
    return Affine(-gate.w, -gate.b)


def half_planes(normals: ArrayLike, offsets: ArrayLike) -> Affine:
    """One unit for each row of normals (m, k) and entry of offsets (m,).

    Unit i is 1 where <normal_i, x> + offset_i >= 0: on the side that the normal points to, and on
    the boundary. Raises ValueError for other shapes.
    """
    w, b = jnp.asarray(normals, float), jnp.asarray(offsets, float)
    if w.ndim != 2 or b.shape != w.shape[:1]:
        raise ValueError(f"expected normals (m, k) and offsets (m,), got {w.shape} and {b.shape}")
    return Affine(w.T, b)


def beside(*units: Affine) -> Affine:
    """All the units on the same inputs, as one layer: w (k, m1 + m2 + ...), b likewise.

    Raises ValueError for none, and for units of unequal numbers of inputs.
    """
    inputs = sorted({len(unit.w) for unit in units})
    if len(inputs) != 1:
        raise ValueError(f"beside: expected units on equally many inputs, got {inputs}")
    return Affine(
        jnp.concatenate([unit.w for unit in units], axis=1),
        jnp.concatenate([unit.b for unit in units]),
    )


def threshold_network(*layers: Affine) -> tuple[Serial, tuple[Any, ...]]:
    """`serial(Dense(m1), step, Dense(m2), step, ...)` and its parameters.

    Raises ValueError for no layers, and for a layer whose number of inputs is not the number of
    units before it.
    """
    if not layers:
        raise ValueError("threshold_network: expected one or more layers, got none")
    widths = [layer.w.shape for layer in layers]
    if any(before[1] != after[0] for before, after in itertools.pairwise(widths)):
        raise ValueError(
            f"threshold_network: expected as many inputs as units before them, got w {widths}"
        )
    net = serial(*(part for _, m in widths for part in (Dense(m), step)))
    return net, tuple(part for layer in layers for part in (layer, ()))


def xor_network() -> tuple[Serial, tuple[Any, ...]]:
    """XOR of two inputs, which no single unit computes: AND of (OR, NAND)."""
    return threshold_network(beside(or_gate(2), negated(and_gate(2))), and_gate(2))


def convex_region(region: Affine) -> tuple[Serial, tuple[Any, ...]]:
    """1 in the intersection of half-planes, 0 outside: a layer of them, and an AND."""
    return threshold_network(region, and_gate(len(region.b)))


def union_of_regions(*regions: Affine) -> tuple[Serial, tuple[Any, ...]]:
    """1 in any of several convex regions, 0 outside: half-planes, an AND for each, and an OR."""
    return regions_of_classes(regions)


def regions_of_classes(*groups: Sequence[Affine]) -> tuple[Serial, tuple[Any, ...]]:
    """One output a class, 1 in any of the convex regions of its group, else 0.

    A point outside of all regions has only zeros, and one in the regions of several classes has
    several ones. Raises ValueError for a class without regions.
    """
    regions = [region for group in groups for region in group]
    return threshold_network(
        beside(*regions),
        and_gate(*(len(region.b) for region in regions)),
        or_gate(*(len(group) for group in groups)),
    )


def _groups(sizes: tuple[int, ...]) -> Any:
    """Ones that connect consecutive inputs, so many as each size says, to a unit of their own."""
    if not sizes or not all(type(size) is int and size >= 1 for size in sizes):
        raise ValueError(f"expected the number of inputs of each gate, 1 or more, got {sizes}")
    return jnp.asarray(np.repeat(np.eye(len(sizes)), sizes, axis=0), float)
