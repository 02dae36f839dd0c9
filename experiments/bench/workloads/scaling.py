"""How time grows with the data, the batch, the width and the depth.

Sigmoid networks trained for an epoch as in `mlp`, ours and `jax.grad`. Each table has the time
at every size, and below it the local slope: that of log time over log size since the size before.
The column "slope" has the one of a straight line through all of them, by least squares.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.bench.beside_autodiff import by_one_hot
from experiments.bench.method import race
from experiments.bench.workload import (
    Case,
    Contender,
    Found,
    Goal,
    Outcome,
    Row,
    Settings,
    Workload,
)
from experiments.bench.workloads import mlp


class Run(NamedTuple):
    """An epoch of n examples, a network of these widths, mini-batches of that size."""

    widths: tuple[int, ...]
    batch: int
    n: int


class Axis(NamedTuple):
    """A table: `run(size)` for each size. Times are of an epoch, or of a step if so wanted."""

    title: str
    sizes: Sequence[int]
    run: Callable[[int], Run]
    a_step: bool = False


DATA = Axis(
    "data: ms for n examples, 784-100-10, batch 32",
    (1280, 2560, 5120, 10240, 20480),  # shorter epochs have another layout: `jaxnn.fast.columns`
    lambda n: Run((784, 100, 10), 32, n),
)
DEPTH = Axis(
    "depth: ms for 1024 examples, n layers of 128, batch 32",
    (2, 4, 8, 16, 32),
    lambda depth: Run((*[128] * (depth + 1),), 32, 1024),
)
WIDTH = Axis(
    "width: ms for 1024 examples, three layers of n, batch 32",
    (32, 64, 128, 256, 512, 1024),
    lambda width: Run((width, width, width, 10), 32, 1024),
)
BATCH = Axis(
    "batch: ms for a step, 784-100-10",
    (1, 4, 16, 64, 256, 1024),
    lambda batch: Run((784, 100, 10), batch, max(256, 4 * batch)),
    a_step=True,
)
AXES = DATA, DEPTH, WIDTH, BATCH


def answer(result: Any, inputs: mlp.Inputs) -> Any:
    """How far the first epoch moved all parameters, in one array: what the first of many sigmoid
    layers learn is below rounding, and only counts beside the others."""
    pairs = zip(jax.tree.leaves(result[0]), jax.tree.leaves(inputs.params), strict=True)
    return np.concatenate([(np.asarray(new) - old).ravel() for new, old in pairs])


CONTENDERS = (
    Contender("jaxnn", "ours", mlp.Ours, answer),
    Contender("jax.grad", "idiomatic", mlp.autodiff(by_one_hot), answer),
)


def measure(settings: Settings) -> Iterator[Outcome]:
    """A table for each axis; two sizes of each if quick."""
    for axis in AXES:
        sizes = axis.sizes[:2] if settings.quick else axis.sizes
        yield table(axis.title, {size: times(axis, size, settings) for size in sizes})


def times(axis: Axis, size: int, settings: Settings) -> dict[str, float]:
    """Milliseconds of every contender at one size."""
    run = axis.run(size)
    given = mlp.draw(run.widths, run.batch, run.n)
    raced = race(Case(f"{axis.title}, {size}", given, CONTENDERS, 0.01), settings)
    parts = run.n // run.batch if axis.a_step else 1
    return {row.name: 1e3 * min(getattr(row, raced.clock)) / parts for row in raced.rows}


def table(title: str, found: dict[int, dict[str, float]]) -> Outcome:
    """Times by size and contender, with the slopes."""
    rows = []
    for contender in CONTENDERS:
        line = [found[size][contender.name] for size in found]
        figures = dict(zip(map(str, found), line, strict=True)) | {"slope": slope(found, line)}
        rows.append(Row(contender.name, contender.role, [], [], figures))
        pairs = itertools.pairwise(zip(found, line, strict=True))
        local = {str(b[0]): slope((a[0], b[0]), (a[1], b[1])) for a, b in pairs}
        rows.append(Row(f"{contender.name}, local slope", "derived", [], [], local))
    return Outcome(title, rows, ms=list(map(str, found)))


def slope(sizes: Any, seconds: Any) -> float:
    """That of the straight line through log size and log time."""
    return float(np.polyfit(np.log(list(sizes)), np.log(list(seconds)), 1)[0])


def slope_of(axis: Axis) -> Callable[[Found], float | None]:
    """Our slope."""
    return lambda found: found.figure(axis.title, "jaxnn", "slope")


WORKLOAD = Workload(
    "how time grows",
    "What twice the data, layers, units or batch cost. Time is linear in data and, as long as the "
    "caches hold the layers, in depth: slope 1. "
    "In width it goes from less than 1, where a step is too short to fill its products, to 2, "
    "where products are all of it. A batch below 64 leaves arithmetic idle: the slope of a step is "
    "well below 1 there, and goes to 1 above.",
    measure,
    tuple(
        Goal(14, f"slope of time over {name}", target, slope_of(axis))
        for name, axis in (("data", DATA), ("depth", DEPTH))
        for target in (">= 0.95", "<= 1.05")
    ),
)
