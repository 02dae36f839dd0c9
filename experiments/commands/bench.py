"""`bench [NAME ...]`: measure what the library claims."""

import importlib
from pathlib import Path

from experiments import bench
from experiments.common.failures import ConfigError, did_you_mean
from experiments.common.parser import Parser

_ABOUT = f"""Without a NAME, every workload; the whole takes about a quarter of an hour.

  workloads: {", ".join(bench.WORKLOADS)}
  programs of their own, each with --help: {", ".join(bench.PROGRAMS)}

On a machine that is in use, one core gives the steadier figures: taskset -c 1 python -m ..."""


def main(words: list[str]) -> int:
    """Run the program of that name with the other words, or the workloads, and return a status."""
    if words[:1] and words[0] in bench.PROGRAMS:
        return importlib.import_module(f"experiments.bench.{words[0]}").main(words[1:])
    parser = Parser("bench", "[NAME ...] [--quick] [--seed N] [--json FILE [--add]]", _ABOUT)
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads, all by default")
    parser.add_argument("--quick", action="store_true", help="seconds each, to see that it runs")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything into this file")
    parser.add_argument("--add", action="store_true", help="keep the other workloads in FILE")
    asked = parser.parse_args(words)
    if asked.add and asked.json is None:
        raise ConfigError("--add expects a file to add to: --json FILE --add")
    for name in asked.names:
        if name not in bench.WORKLOADS:
            hint = did_you_mean(name, bench.NAMES)
            raise ConfigError(f"no bench is called '{name}'{hint}: {', '.join(bench.NAMES)}")
    from experiments.bench import suite
    from experiments.bench.workload import Settings

    return suite.main(asked.names, Settings(asked.quick, asked.seed), asked.json, asked.add)
