"""What readings cost beside the plain gradient, and beside `vmap(grad)`, in one process.

    python -m experiments.bench_readings

The network 784-1024-1024-10 on noise, with the softmax cross-entropy. Programs of a group take
turns, in an order that rotates, after a call that is not timed; the group with `vmap(grad)`, which
takes gigabytes, comes last. Times are those of one call, the least and the median, by the clock and
of all cores; memory is what XLA reserves besides arguments and results, which is exact. Ratios are
to the first program of the group: what is beside it must stay below the bar, `vmap(grad)` above.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from jaxnn import readings

NET = nn.serial(nn.Dense(1024), nn.relu, nn.Dense(1024), nn.relu, nn.Dense(10))
BOUND = 1.0


class Program(NamedTuple):
    """A function of params, x, y with the bars on its time and memory beside the first's."""

    name: str
    function: Callable[..., Any]
    time: str = ""
    memory: str = ""


class Measured(NamedTuple):
    """Seconds of every call, by the clock and of all cores, and bytes of temporary memory."""

    program: Program
    wall: list[float]
    cpu: list[float]
    memory: int


def by_hand(read: Any) -> Callable[..., Any]:
    """`backprop` with a reading, or several."""
    return lambda p, x, y: nn.backprop(NET, nn.softmax_cross_entropy, p, x, y, read=read)


def temporary(run: Any) -> int:
    """Bytes that a compiled program reserves besides its arguments and results."""
    analysis = run.memory_analysis()
    return analysis.temp_size_in_bytes if analysis else 0


def log_loss(params: Any, x: Any, y: Any) -> Any:
    """The mean cross-entropy, in the leanest form for autodiff we know."""
    z = NET.forward(params, x)[0]
    return (jax.nn.logsumexp(z, axis=-1) - jnp.take_along_axis(z, y[:, None], -1)[:, 0]).mean()


def gradients_of_examples(params: Any, x: Any, y: Any) -> Any:
    """The gradient of every example by `vmap(grad)`."""
    return jax.vmap(lambda a, b: jax.grad(log_loss)(params, a[None], b[None]))(x, y)


def squares(each: Any) -> Any:
    """|g_n|^2 of formed gradients."""
    return sum((g.reshape(len(g), -1) ** 2).sum(1) for g in jax.tree.leaves(each))


def norms_by_vmap(params: Any, x: Any, y: Any) -> Any:
    """The mean gradient and the squared norms."""
    each = gradients_of_examples(params, x, y)
    return jax.tree.map(lambda g: g.mean(0), each), squares(each)


def clipped_by_vmap(params: Any, x: Any, y: Any) -> Any:
    """The mean of clipped gradients."""
    each = gradients_of_examples(params, x, y)
    s = jnp.minimum(1, BOUND / jnp.sqrt(squares(each))) / len(x)
    return jax.tree.map(lambda g: jnp.tensordot(s, g, 1), each)


def beside_the_gradient() -> list[Program]:
    """The plain gradient and what is asked for beside it."""
    plain, norms = readings.gradient, readings.squared_norms
    return [
        Program("gradient", by_hand(plain)),
        Program("jax.grad", jax.value_and_grad(log_loss)),
        Program("gradient, squared norms", by_hand((plain, norms)), "<= 1.2", "<= 2"),
        Program("clipped", by_hand(readings.clipped(BOUND)), "<= 1.4"),
        Program("gradient, second moment", by_hand((plain, readings.second_moment))),
        Program("gradient, variance", by_hand((plain, readings.variance))),
        Program("gradient, noise scale", by_hand((plain, readings.noise_scale))),
    ]


def beside_vmap() -> dict[str, list[Program]]:
    """Ours and `vmap(grad)` for the same answer."""
    norms = by_hand((readings.gradient, readings.squared_norms))
    return {
        "norms": [
            Program("gradient, squared norms", norms),
            Program("the same by vmap(grad)", norms_by_vmap, ">= 30", ">= 300"),
        ],
        "clipped": [
            Program("clipped", by_hand(readings.clipped(BOUND))),
            Program("the same by vmap(grad)", clipped_by_vmap),
        ],
    }


def inputs(batch: int) -> tuple[Any, Any, Any]:
    """params, x and y for the network."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(batch, 784)), jnp.float32)
    y = jnp.asarray(rng.integers(0, 10, batch), jnp.int32)
    return NET.init(jax.random.key(0), x), x, y


def measure(programs: Sequence[Program], batch: int, rounds: int) -> list[Measured]:
    """Every program `rounds` times, taking turns."""
    given = inputs(batch)
    compiled = [jax.jit(p.function).lower(*given).compile() for p in programs]
    found = [
        Measured(program, [], [], temporary(run))
        for program, run in zip(programs, compiled, strict=True)
    ]
    for run in compiled:
        jax.block_until_ready(run(*given))
    for i in range(rounds):
        for j in range(len(programs)):
            at = (i + j) % len(programs)
            wall, cpu = time.perf_counter(), time.process_time()
            jax.block_until_ready(compiled[at](*given))
            found[at].wall.append(time.perf_counter() - wall)
            found[at].cpu.append(time.process_time() - cpu)
    return found


def show(title: str, found: list[Measured]) -> None:
    """The table of a group."""
    table = Table("program", title=title, box=None, title_justify="left")
    for name in ("wall ms", "median", "CPU ms", "median", "wall", "CPU", "MB", "memory", "bar"):
        table.add_column(name, justify="right")
    first = found[0]
    for one in found:
        times = [f"{1e3 * f(t):.1f}" for t in (one.wall, one.cpu) for f in (min, statistics.median)]
        bars = [bar for bar in (one.program.time, one.program.memory) if bar]
        table.add_row(
            one.program.name,
            *times,
            f"{min(one.wall) / min(first.wall):.2f}",
            f"{min(one.cpu) / min(first.cpu):.2f}",
            f"{one.memory / 1e6:.2f}",
            f"{one.memory / first.memory:.2f}",
            ", ".join(bars),
        )
    Console(width=120).print(table, "")


def main(words: Sequence[str]) -> int:
    """Print all groups; an argument is the batch of the group with `vmap(grad)`, 64 by default."""
    small = int(words[0]) if words else 64
    settings = [f"{name}={value}" for name, value in os.environ.items() if "MALLOC" in name]
    print(f"{jax.default_backend()}, {os.cpu_count()} cores, {' '.join(settings) or 'own malloc'}")
    show("784-1024-1024-10, batch 256", measure(beside_the_gradient(), 256, 40))
    for name, programs in beside_vmap().items():
        show(f"{name}, batch {small}", measure(programs, small, 5))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
