"""`bench NAME`: measure what the library claims."""

import importlib

from experiments import bench
from experiments.config_problems import ConfigError, did_you_mean


def main(words: list[str]) -> int:
    """Run the benchmark of that name with the other words, and return its status."""
    if words[:1] in (["-h"], ["--help"]):
        print(f"usage: python -m experiments bench {{{','.join(bench.NAMES)}}} [--help]")
        return 0
    name = words[0] if words else ""
    if name not in bench.NAMES:
        hint = did_you_mean(name, bench.NAMES)
        raise ConfigError(f"no bench is called '{name}'{hint}: {', '.join(bench.NAMES)}")
    return importlib.import_module(f"experiments.bench.{name}").main(words[1:])
