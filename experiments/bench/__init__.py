"""Benchmarks: `python -m experiments bench`, each claim measured beside what else there is.

A workload is a file in `workloads` with a value `WORKLOAD` in it; there is nothing else to add. The
README says how to write one, and how to read what is printed. The other names here are programs
with `main(words)`.
"""

import pkgutil
from pathlib import Path

PROGRAMS = ("check", "check_cost", "compare", "gate", "mutants", "publish", "show", "support")
_FOLDER = Path(__file__).parent / "workloads"
WORKLOADS = tuple(sorted(module.name for module in pkgutil.iter_modules([str(_FOLDER)])))
NAMES = (*WORKLOADS, *PROGRAMS)
