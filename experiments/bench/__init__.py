"""Benchmarks: `python -m experiments bench`, each claim measured beside what else there is.

A workload is a file in `workloads` with a value `WORKLOAD` in it, see `bench.workload`; there is
nothing else to add. It has a title, a sentence that says what its tables mean for a user, cases,
and goals. A case is a race: contenders that do the same work on the same inputs.

    Case("a title", draw, contenders, rate=(examples, "examples/s"))
        draw(rng)     inputs, drawn afresh
        Contender("by hand", "ours", make)     make(inputs) gives what runs it, see `method.Program`
        the roles     ours, idiomatic, strongest (both autodiff), floor, peer
    WORKLOAD = Workload(title, meaning, races(cases), goals)
        cases(quick)  the cases, fewer and smaller for a pass of seconds
        Goal(1, "what is claimed", ">= 1.0", lambda found: found.speed("a title", "by hand"))

What is no race, such as the memory of a whole process, gives its own `measure(settings)`, which
yields an `Outcome` for each table. The other names here are programs with `main(words)`.
"""

import pkgutil
from pathlib import Path

PROGRAMS = ("check", "check_cost", "compare", "gate")
_FOLDER = Path(__file__).parent / "workloads"
WORKLOADS = tuple(sorted(module.name for module in pkgutil.iter_modules([str(_FOLDER)])))
NAMES = (*WORKLOADS, *PROGRAMS)
