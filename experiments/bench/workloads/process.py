"""Whole processes: how long until something is trained, and how much memory that takes.

Every figure is of a fresh Python that does what `one_process` says. Times count from before the
process was started, imports included. Torch and scikit-learn get one thread, which costs them least
CPU time here; JAX has no such setting. `jax.grad` stands here twice, with first weights drawn by
`jax.random`, as usual, and by NumPy, which spares it several programs. The networks start from
other weights each, so what they must agree on is no more than how well they have learned.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.bench.one_process import Job
from experiments.bench.workload import Found, Goal, Outcome, Role, Row, Settings, Workload
from experiments.common.failures import Failure
from experiments.data import DataError, mnist

ROOT = Path(__file__).parents[3]
THIN, MIDDLE = [784, 30, 10], [784, 100, 10]
FACTOR = 2  # by which objectives may differ: before training it is far more
STEP, EPOCH = "784-30-10 to the end of the first step", "784-30-10 to the end of the first epoch"
COLD, WARM = ", no programs kept", ", programs kept"
MEMORY = "784-100-10, two epochs of 60,000 examples"
_KEPT = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


class Process(NamedTuple):
    """A row: its name and role, who of `one_process.LIBRARIES` trains, and whether on bytes."""

    name: str
    role: Role
    library: str
    as_bytes: bool = False


STARTS = (
    Process("jaxnn", "ours", "jaxnn"),
    Process("jax.grad, weights by jax.random", "idiomatic", "jax.random"),
    Process("jax.grad, weights by NumPy", "strongest", "numpy"),
    Process("torch, eager", "peer", "torch"),
    Process("scikit-learn", "peer", "sklearn"),
)
MEMORIES = (
    Process("jaxnn, bytes", "ours", "jaxnn", as_bytes=True),
    Process("jaxnn, float32", "ours", "jaxnn"),
    Process("jax.grad, float32", "idiomatic", "numpy"),
    Process("jax.grad, bytes", "strongest", "numpy", as_bytes=True),
    *STARTS[3:],
)


def measure(settings: Settings) -> Iterator[Outcome]:
    """The tables, one after another."""
    times = 1 if settings.quick else 3
    with tempfile.TemporaryDirectory() as place:
        small, large, kept = (Path(place, name) for name in ("small", "large", "kept"))
        save(small, *patterns(1000, settings.seed))
        for title in (EPOCH,) if settings.quick else (STEP, EPOCH):
            job = Job(str(small), THIN, batch=10, one_step=title == STEP)
            yield starts(title + COLD, STARTS, job, times)
            yield starts(title + WARM, STARTS[:3], job, times, kept)
        save(large, *(patterns(1920, settings.seed) if settings.quick else digits(settings.seed)))
        yield memory(Job(str(large), MIDDLE, batch=32, epochs=2))


def patterns(n: int, seed: int) -> tuple[Any, Any]:
    """x (n, 784) of bytes and y (n,), ten classes that are easily told apart: noise, and a tenth
    of the pixels brighter, another one in each class."""
    rng = np.random.default_rng([seed, n])
    y = rng.integers(0, 10, n).astype(np.int32)
    x = rng.integers(0, 128, (n, 784), np.uint8)
    x += np.uint8(127) * (np.arange(784) * 10 // 784 == y[:, None])
    return x, y


def digits(seed: int) -> tuple[Any, Any]:
    """The 60,000 training examples of MNIST where $JAXNN_DATA_DIR has them, else patterns."""
    if "JAXNN_DATA_DIR" in os.environ:
        try:
            found = mnist.load()
            return found.x.reshape(len(found.x), -1), found.y
        except DataError:
            pass
    return patterns(60_000, seed)


def save(folder: Path, x: Any, y: Any) -> None:
    """Where a job finds them."""
    folder.mkdir()
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)


def notes(process: Process, job: Job, kept: Path | None = None) -> list[dict[str, Any]]:
    """What a process notes of that job, see `one_process`; programs are kept in a folder, if any.

    Raises `Failure` with what it said if it fails.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users need not compile our sources each time
    if kept is not None:
        environment |= {"JAX_COMPILATION_CACHE_DIR": str(kept), **_KEPT}
    job = job._replace(as_bytes=process.as_bytes, began=time.time())
    done = subprocess.run(
        [sys.executable, "-m", "experiments.bench.one_process", process.library],
        input=json.dumps(job._asdict()),
        env={**environment, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = done.stderr.strip()[-2000:]
        raise Failure(f"{process.name}: expected the process to end well, but it said:\n{said}")
    return json.loads(done.stdout)


def starts(
    title: str, processes: Sequence[Process], job: Job, times: int, kept: Path | None = None
) -> Outcome:
    """Times to the end of the job, with those to the end of the imports beside them.

    They take turns, `times` each. Where programs are kept, one that keeps them goes first.
    """
    rows, last = [Row(p.name, p.role, [], [], {}) for p in processes], {}
    for number in range(0 if kept else 1, times + 1):
        for process, row in zip(processes, rows, strict=True):
            if not there(process):
                continue
            imported, *_, end = notes(process, job, kept)
            if number:
                row.wall.append(end["wall"])
                row.cpu.append(end["cpu"])
                found = {"import CPU ms": 1e3 * imported["cpu"], "peak MB": end["peak MB"]}
                for key, value in found.items():
                    row.figures[key] = min(value, row.figures.get(key, value))
            last[process] = end["objective"]
    check_learned(title, last)
    return Outcome(title, rows)


def memory(job: Job) -> Outcome:
    """Peak memory; the times are of the last epoch alone, for the first one compiles."""
    rows, last = [], {}
    for process in MEMORIES:
        row = Row(process.name, process.role, [], [], {})
        if there(process):
            imported, *_, before, end = notes(process, job)
            row.wall.append(end["wall"] - before["wall"])
            row.cpu.append(end["cpu"] - before["cpu"])
            row.figures["import MB"] = imported["peak MB"]
            row.figures["peak MB"] = end["peak MB"]
            last[process] = before["objective"]
        rows.append(row)
    check_learned(MEMORY, last)
    return Outcome(MEMORY, rows, rate=(len(np.load(Path(job.folder, "y.npy"))), "examples/s"))


def there(process: Process) -> bool:
    """Whether its library is installed."""
    needs = {"torch": "torch", "sklearn": "sklearn"}.get(process.library)
    return needs is None or importlib.util.find_spec(needs) is not None


def check_learned(title: str, objectives: dict[Process, float]) -> None:
    """Raise `Failure` where one has learned much more or less than ours."""
    ours = next(value for process, value in objectives.items() if process.role == "ours")
    for process, value in objectives.items():
        if not ours / FACTOR <= value <= FACTOR * ours:
            raise Failure(
                f"{title}: '{process.name}' does not do what ours does: expected an objective of "
                f"about {ours:.3g}, got {value:.3g}"
            )


def cpu_of(title: str) -> Callable[[Found], float | None]:
    """Our CPU seconds to the end of the first epoch."""
    return lambda found: found[title].time("jaxnn") if title in found else None


WORKLOAD = Workload(
    "whole processes: start-up and memory",
    "How long until the first epoch of 1000 examples is trained, and how much memory a process has "
    "resident at most. Most of a start is importing JAX and compiling; keeping the programs, which "
    "an application decides, spares most of the latter. Images that stay bytes until a step needs "
    "them take a quarter of what they do as float32, at no cost in time.",
    measure,
    (
        Goal(
            14,
            "peak memory on 60,000 images kept as bytes, MB",
            "<= 300",
            lambda found: found.figure(MEMORY, "jaxnn, bytes", "peak MB"),
        ),
        Goal(14, "first epoch trained, cold: CPU seconds", "<= 1.0", cpu_of(EPOCH + COLD)),
        Goal(14, "first epoch trained, programs kept: CPU s", "<= 0.75", cpu_of(EPOCH + WARM)),
    ),
)
