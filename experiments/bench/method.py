"""How contenders are timed.

All of a case run in one process on the same inputs. The first call of each compiles, and its answer
is compared: nothing that computes something else is timed. Then they take turns in bursts of a few
calls, in an order that rotates, so that no one always runs behind the one that leaves the caches
and the heap in disorder. For the same reason the first call of a burst is not timed, unless it is
so long that this makes no difference. Every burst gives the time of a call by the clock, and that
of all cores, `time.process_time`. By which of them speeds are judged, `machine.clock` says.
"""

import gc
import importlib.util
import math
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from experiments.bench.machine import clock, cores
from experiments.bench.workload import Case, Contender, Outcome, Row, Settings
from experiments.common.failures import Failure

BURST, LONG = 0.02, 0.2  # seconds: of a burst at least, and of a call that needs no other before
FEWEST, MOST = 3, 40  # bursts


class Program:
    """`function(*args)` compiled ahead of time; calling it runs it on those arguments.

    `figures` has the temporary memory, what XLA reserves besides arguments and results, and the
    seconds of all cores for tracing and compiling. With `carry`, the first argument is donated, and
    the first part of the result takes its place: a training state.
    """

    def __init__(self, function: Callable[..., Any], *args: Any, carry: bool = False) -> None:
        self.args, self.carry = args, carry
        jitted = jax.jit(function, donate_argnums=(0,) if carry else ())
        began = time.process_time()
        self.run: Callable[..., Any] = jitted.lower(*args).compile()
        seconds = time.process_time() - began
        self.figures = {"temp MB": temporary(self.run) / 1e6, "compile CPU s": seconds}

    def __call__(self) -> Any:
        result = jax.block_until_ready(self.run(*self.args))
        if self.carry:
            self.args = result[0], *self.args[1:]
        return result


def temporary(compiled: Any) -> int:
    """Bytes that a compiled program reserves besides its arguments and results."""
    analysis = compiled.memory_analysis()
    return analysis.temp_size_in_bytes if analysis else 0


def races(cases: Callable[[bool], Iterable[Case]]) -> Callable[[Settings], Iterable[Outcome]]:
    """The `measure` of a workload whose cases, `cases(quick)`, are races."""

    def measure(settings: Settings) -> Iterable[Outcome]:
        for case in cases(settings.quick):
            yield race(case, settings)
            jax.clear_caches()  # the programs of a case are of no use to the next

    return measure


def race(case: Case, settings: Settings) -> Outcome:
    """Compare the answers of all contenders, then time them. Raises `Failure` where one differs."""
    rng = np.random.default_rng([settings.seed, zlib.crc32(case.title.encode())])
    inputs = case.draw(rng)
    there = [c for c in case.contenders if not c.needs or importlib.util.find_spec(c.needs)]
    runs = {c.name: c.make(inputs) for c in there}
    answers = {c.name: _answer(c, runs[c.name], inputs) for c in there}
    check_answers(case, there, answers)
    del answers
    rows = {c.name: Row(c.name, c.role, [], [], {}) for c in case.contenders}
    for name, run in runs.items():
        rows[name].figures.update(getattr(run, "figures", {}))
    take_turns(runs, rows, settings.seconds)
    judged = clock(jax.default_backend(), len(cores()))
    return Outcome(case.title, list(rows.values()), judged, case.rate)


def take_turns(runs: dict[str, Callable[[], Any]], rows: dict[str, Row], seconds: float) -> None:
    """Bursts of each in turn, for about `seconds` of each contender, into its row. One that is so
    slow that few bursts fill them drops out before the others."""
    once = {name: _seconds(run, 1)[0] for name, run in runs.items()}
    calls = {name: max(1, min(100, math.ceil(BURST / once[name]))) for name in runs}
    turns = {name: round(seconds / once[name] / (calls[name] + 1)) for name in runs}
    turns = {name: min(max(n, FEWEST), MOST) for name, n in turns.items()}
    names = list(runs)
    for i in range(max(turns.values())):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            if i < turns[name]:
                if once[name] < LONG:
                    runs[name]()
                wall, cpu = _seconds(runs[name], calls[name])
                rows[name].wall.append(wall)
                rows[name].cpu.append(cpu)


def _seconds(run: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Of one call, by the clock and of all cores. The garbage collector waits."""
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            run()
        return (time.perf_counter() - wall) / calls, (time.process_time() - cpu) / calls
    finally:
        gc.enable()


def _answer(contender: Contender, run: Callable[[], Any], inputs: Any) -> Any:
    result = run()
    return None if contender.answer is None else jax.device_get(contender.answer(result, inputs))


def check_answers(case: Case, contenders: Sequence[Contender], answers: dict[str, Any]) -> None:
    """Raise `Failure` for one whose answer is not that of the idiomatic baseline, or of the first
    one if there is none."""
    asked = [c for c in contenders if c.answer is not None]
    asked.sort(key=lambda c: c.role != "idiomatic")
    # an accelerator multiplies float32 with fewer digits, 11 bits in NVIDIA's TF32
    tolerance = case.tolerance if jax.default_backend() == "cpu" else max(0.02, case.tolerance)
    for contender in asked[1:]:
        error = distance(answers[contender.name], answers[asked[0].name])
        if not error <= tolerance:
            raise Failure(
                f"{case.title}: '{contender.name}' does not compute what '{asked[0].name}' does: "
                f"expected a difference of at most {tolerance:g}, got {error:.2g}; nothing "
                "was timed"
            )


def distance(a: Any, b: Any) -> float:
    """The largest difference of two trees, for each array relative to the largest entry of b; inf
    if they are not of the same shapes, nan if either is not finite."""
    ours, theirs = ([np.asarray(v) for v in jax.tree.leaves(tree)] for tree in (a, b))
    if [v.shape for v in ours] != [v.shape for v in theirs]:
        return math.inf
    errors = [0.0]
    for mine, other in zip(ours, theirs, strict=True):
        if mine.size:
            mine, other = mine.astype(float), other.astype(float)
            scale = np.abs(other).max() or 1.0
            errors.append(float(np.abs(mine - other).max() / scale))
    return float(np.max(errors))
