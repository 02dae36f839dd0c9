"""`bench`: run workloads one after the other, print their tables, and write them as JSON."""

import importlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.bench import WORKLOADS, machine, record, table
from experiments.bench.workload import Settings, Workload
from experiments.common.failures import ConfigError


def main(
    names: Sequence[str], settings: Settings, json: Path | None = None, add: bool = False
) -> int:
    """Run the workloads of those names, all if there are none; the status is always 0, for times
    depend on the machine. With `add` the other workloads in the file stay there.

    Raises ConfigError, before anything is measured, for a file that cannot be written, or is of
    another machine and cannot be added to.
    """
    if json and not json.parent.is_dir():
        raise ConfigError(f"--json {json}: expected a folder {json.parent} that exists")
    now = {"machine": machine.machine(), "settings": settings._asdict(), "workloads": []}
    earlier = record.read(json) if json and add and json.exists() else None
    if json and earlier:
        record.check_same(json, earlier, now)
    print(table.head(now), flush=True)
    for name in names or in_order():
        now["workloads"].append(measure(name, load(name), settings))
        print(f"\n{table.body(now['workloads'][-1])}", flush=True)
    if json:
        record.write(json, record.added(earlier, now) if earlier else now)
        print(json)
    return 0


def in_order() -> list[str]:
    """All workloads, in the order of the goals."""
    return sorted(
        WORKLOADS, key=lambda name: record.place(name, (g.number for g in load(name).goals))
    )


def load(name: str) -> Workload:
    """The workload of that name."""
    return importlib.import_module(f"experiments.bench.workloads.{name}").WORKLOAD


def measure(name: str, workload: Workload, settings: Settings) -> record.Record:
    """What comes of a workload, as plain data. Progress goes to stderr."""
    began, load, others, cases = time.perf_counter(), machine.load(), machine.Others(), []
    for outcome in workload.measure(settings):
        cases.append(record.case_of(outcome))
        if sys.stderr.isatty():
            print(f"{name}: {outcome.title}", file=sys.stderr, flush=True)
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return record.workload_of(name, workload, cases, load=load, others=others.share())
