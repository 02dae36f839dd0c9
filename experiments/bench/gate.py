"""`bench gate`: has a program grown? No times, only what is the same in every run.

    temp            bytes that XLA reserves besides arguments and results
    instructions    of the optimised program: what there is to compile, and to run
    recompiled      programs compiled in a second call, with equal values built anew

These are committed in `figures.json` for one version of JAX and one platform. They come out the
same in every process and on any number of cores; MARGIN is there for other processors, for which
XLA may fuse otherwise. Without figures for this version the gate says so and passes.
"""

import json
import os
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.monitoring
from rich.console import Console
from rich.table import Table

from experiments.bench.gate_programs import Call, Program, programs
from experiments.bench.method import temporary
from experiments.common.failures import ConfigError
from experiments.common.parser import Parser
from experiments.common.runs import write_json

FIGURES = Path(__file__).with_name("figures.json")
MARGIN = {"temp": (1.05, 512), "instructions": (1.05, 2), "recompiled": (1.0, 0)}
# what comes after the program is optimised, and changes none of its figures; half the time is saved
_SWIFT = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
Figures = dict[str, dict[str, int]]


class Growth(NamedTuple):
    """A figure of a program that is above its margin."""

    program: str
    figure: str
    committed: int
    now: int


def main(words: list[str]) -> int:
    """Compare, and return 1 if a program has grown, or has no figures; or --update them."""
    parser = Parser("bench gate", "[--update]", "has a program grown beyond its committed figures?")
    parser.add_argument("--update", action="store_true", help="commit to what it is now")
    update = parser.parse_args(words).update
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_SWIFT}"
    console, began = Console(width=120), time.perf_counter()
    committed, version = read(FIGURES), f"jax {jax.__version__} {jax.default_backend()}"
    if not update and version not in committed:
        known = ", ".join(committed) or "none"
        print(
            f"bench gate: no figures for {version}, only for: {known}. Nothing was compared.\n"
            "To commit some, check the figures with: python -m experiments bench gate --update"
        )
        return 0
    found = measure(programs())
    spent = f"{len(found)} programs in {time.perf_counter() - began:.0f} s"
    if update:
        write_json(FIGURES, committed | {version: found})
        print(f"{FIGURES}: figures of {spent} for {version}")
        return 0
    return _judge(console, found, committed[version], f"{spent}, {version}")


def _judge(console: Console, found: Figures, committed: Figures, about: str) -> int:
    grown = growths(found, committed)
    if grown:
        console.print(growth_table(grown), "")
    strangers = sorted(set(found) ^ set(committed))
    for name in strangers:
        where = "is not committed" if name in found else "is committed, but there is no such one"
        print(f"'{name}' {where}")
    better = shrunk(found, committed)
    if better:
        print(f"smaller than committed, which --update keeps: {', '.join(better)}")
    bad = bool(grown or strangers)
    advice = "; if that is meant: python -m experiments bench gate --update" if bad else ""
    print(f"bench gate: {about}: {len(grown)} figures have grown{advice}")
    return int(bad)


def read(path: Path) -> dict[str, Figures]:
    """The committed figures by version. Raises ConfigError for a file that is no JSON."""
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON, {error}; get it back from git") from None


def measure(watched: Iterable[Program]) -> Figures:
    """The figures of each program."""
    found = {}
    for program in watched:
        found[program.name] = figures(program)
        if sys.stderr.isatty():
            print(f"\r{len(found)} {program.name[:60]:<60}", end="", file=sys.stderr)
    return found


def figures(program: Program) -> dict[str, int]:
    """Compile it, and call it twice, the second time with everything built anew."""
    call = program.build()
    compiled = compile_call(call)
    instructions = (compiled.as_text() or "").count(" = ")
    run(call)
    again = program.build()
    with _Compilations() as count:
        run(again)
    return {
        "temp": temporary(compiled),
        "instructions": instructions,
        "recompiled": count.programs,
    }


def compile_call(call: Call) -> jax.stages.Compiled:
    """The call as one program."""
    function = call.function
    if not hasattr(function, "lower"):
        function = jax.jit(partial(function, **call.options), donate_argnums=call.donate)
    return function.lower(*call.args).compile()  # pyright: ignore[reportFunctionMemberAccess]


def run(call: Call) -> None:
    """Call it, and wait."""
    jax.block_until_ready(call.function(*call.args, **call.options))


class _Compilations:
    """Counts what is compiled between entering and leaving, in `programs`."""

    def __enter__(self) -> "_Compilations":
        self.programs = 0
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *error: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: object) -> None:
        self.programs += event == "/jax/core/compile/backend_compile_duration"


def growths(found: Figures, committed: Figures) -> list[Growth]:
    """What is above the margin, of programs that have figures."""
    grown = []
    for name in found.keys() & committed.keys():
        for figure, (factor, more) in MARGIN.items():
            now, before = found[name][figure], committed[name][figure]
            if now > factor * before + more:
                grown.append(Growth(name, figure, before, now))
    return sorted(grown)


def shrunk(found: Figures, committed: Figures) -> list[str]:
    """The programs of which a figure fell by more than the margin."""
    return sorted({one.program for one in growths(committed, found)})


def growth_table(grown: Iterable[Growth]) -> Table:
    """What grew."""
    table = Table("program", "figure", title="grown", box=None, title_justify="left")
    for name in ("committed", "now", "now / committed"):
        table.add_column(name, justify="right")
    for one in grown:
        times = f"{one.now / one.committed:.2f}" if one.committed else ""
        table.add_row(one.program, one.figure, f"{one.committed:,}", f"{one.now:,}", times)
    return table
