"""`bench`: run workloads one after the other, print their tables, and write them as JSON."""

import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.bench import WORKLOADS, table
from experiments.bench.machine import Others, busy, lines, machine
from experiments.bench.workload import Found, Settings, Workload
from experiments.runs import write_json

_HOW = (
    "Times are of one call, by the clock and of all cores (CPU), the least and the median of the "
    "bursts. Speeds are relative to the idiomatic jax.grad, or to our first row where there is "
    "none; goals and examples/s go by the {clock} time."
)


def main(names: Sequence[str], settings: Settings, json: Path | None = None) -> int:
    """Run the workloads of those names, all if there are none; the status is always 0, for times
    depend on the machine."""
    console, facts, others = Console(width=140), machine(), Others()
    chosen = {name: load(name) for name in names or WORKLOADS}
    if not names:  # the order of the goals
        first = {name: min((g.number for g in w.goals), default=99) for name, w in chosen.items()}
        chosen = dict(sorted(chosen.items(), key=lambda item: first[item[0]]))
    for line in lines(facts):
        console.print(line, highlight=False, soft_wrap=True)
    clock = "CPU" if facts["backend"] == "cpu" else "wall"
    console.print(_HOW.format(clock=clock), highlight=False, soft_wrap=True)
    if settings.quick:
        console.print("--quick: a pass to see that everything runs; quote none of these figures")
    found = [show(console, name, workload, settings) for name, workload in chosen.items()]
    share = others.share()
    console.print(busy(share), highlight=False)
    if json is not None:
        facts |= {"others": share, "load_after": machine()["load"]}
        write_json(json, {"machine": facts, "settings": settings._asdict(), "workloads": found})
        console.print(str(json), highlight=False, soft_wrap=True)
    return 0


def load(name: str) -> Workload:
    """The workload of that name."""
    return importlib.import_module(f"experiments.bench.workloads.{name}").WORKLOAD


def show(console: Console, name: str, workload: Workload, settings: Settings) -> dict[str, Any]:
    """Measure a workload and print what came of it; everything as a dict."""
    began, found = time.perf_counter(), Found()
    console.print(f"\n[bold]{name}: {workload.title}[/bold]", highlight=False)
    console.print(workload.meaning, "", highlight=False, soft_wrap=True)
    for outcome in workload.measure(settings):
        found[outcome.title] = outcome
        console.print(table.outcome_table(outcome), "")
    console.print("Where we lose:", highlight=False)
    for text in table.below(found):
        console.print(f"  {text}", highlight=False, soft_wrap=True)
    if workload.goals:
        console.print("", table.goal_table(table.reached(workload, found)), "")
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return table.to_dict(name, workload, found)
