"""`run CONFIG [--KEY VALUE ...]`: train a network, or show a demo, in a new numbered folder."""

import importlib
import time
from pathlib import Path

from experiments.commands import words as given
from experiments.common.failures import ConfigError
from experiments.common.parser import Parser
from experiments.config.file import load

_USAGE = "CONFIG [--out DIR] [--every N] [--json] [--quiet] [--KEY VALUE ...]"
_ABOUT = """Train the network that CONFIG describes. CONFIG is the name of a shipped config, the
path of a TOML file, or the name of a demo. Every key of a config can be changed: --train.lr 0.01;
`run CONFIG --help` lists them."""


def main(words: list[str]) -> int:
    """Train, and return 0."""
    parser = Parser("run", _USAGE, _ABOUT)
    given.add_out(parser)
    given.add_training(parser)
    name, own, overrides = given.split(parser, words, "run")
    if given.is_demo(name):
        return _demo(name, own.out, overrides)
    given.known(name)
    experiment = load(name, overrides)

    def train(folder: Path) -> int:
        from experiments.common import compile_cache
        from experiments.training.display import style
        from experiments.training.run import run

        compile_cache.enable()
        run(experiment, folder, every=own.every, how=style(own))
        return 0

    return given.in_new_folder(own.out, experiment.name, train)


def _demo(name: str, out: Path, overrides: list[str]) -> int:
    if overrides:
        raise ConfigError(
            f"'{name}' is a demo: it takes --out DIR and no keys (got {' '.join(overrides)})"
        )

    def show(folder: Path) -> int:
        from experiments.common import compile_cache

        started = time.perf_counter()
        compile_cache.enable()
        importlib.import_module(f"experiments.lectures.demos.{name}").run(folder)
        print(f"{folder}  ({time.perf_counter() - started:.1f} s)")
        return 0

    return given.in_new_folder(out, name, show)
