"""The command line: `run`, `show` and `check` a config, and `bench` what the library claims.

Where `run` takes the name of a config, it takes the name of a demo too.
"""

import argparse
import contextlib
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from experiments import bench, demos
from experiments.config_file import load, shipped
from experiments.config_problems import ConfigError, did_you_mean

_USAGE = "usage: python -m experiments {run,show,check} CONFIG [--KEY VALUE ...]"
_HELP = """
  run   train the network that CONFIG describes; write what came of it into a new numbered
        folder under --out DIR (default: runs)
  show  print every key of CONFIG as TOML, overrides included; saved, it is a config itself
  check  compare the gradients of CONFIG's network, on its first mini-batch, with those of autodiff;
        takes --out DIR as run does, and --level quick, full (default) or exhaustive;
        the exit status is 1 if one is wrong, or could not be judged
  bench  python -m experiments bench NAME [--help], with a NAME out of: {benches}

CONFIG is the path of a TOML file or the name of a shipped config:
  {shipped}
For run it may also be the name of a demo, which prints and plots into the folder, and has no keys:
  {demos}
KEY is the path of a key in the config: --train.lr 0.01 --model.layers.1.units 64
All keys of a config, with types and values: python -m experiments run CONFIG --help
"""
_COMMANDS = ("run", "show", "check", "bench")
_HELP_FLAGS = ("-h", "--help")


def main(words: list[str]) -> int:
    """Do what the words of the command line ask for, and return the exit status.

    The status is 0 on success, 1 where the machine or the data stood in the way, 2 where the
    command line or the config is wrong, and 130 after an interruption.
    """
    try:
        return _dispatch(words)
    except ConfigError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _dispatch(words: list[str]) -> int:
    if not words:
        return _fail(f"{_USAGE}\nmore: python -m experiments --help", 2)
    command, *rest = words
    if command in _HELP_FLAGS or (command in _COMMANDS and rest[:1] and rest[0] in _HELP_FLAGS):
        print(_USAGE + "\n" + _help(), end="")
        return 0
    if command not in _COMMANDS:
        hint = did_you_mean(command, _COMMANDS)
        raise ConfigError(f"unknown command '{command}'{hint}\n{_USAGE}")
    if command == "bench":
        return _bench(rest)
    if not rest or rest[0].startswith("-"):
        raise ConfigError(f"'{command}' needs a config as its next word\n{_USAGE}")
    return {"show": _show, "run": _run, "check": _check}[command](rest[0], rest[1:])


def _help() -> str:
    shown = (", ".join(names) for names in (shipped(), demos.names(), bench.NAMES))
    return _HELP.format(**dict(zip(("shipped", "demos", "benches"), shown, strict=True)))


def _bench(words: list[str]) -> int:
    name = words[0] if words else ""
    if name not in bench.NAMES:
        hint = did_you_mean(name, bench.NAMES)
        raise ConfigError(f"no bench is called '{name}'{hint}: {', '.join(bench.NAMES)}")
    return importlib.import_module(f"experiments.bench.{name}").main(words[1:])


def _show(config: str, overrides: list[str]) -> int:
    from experiments.config_toml import to_toml

    if _is_demo(config):
        raise ConfigError(f"'{config}' is a demo, which has no config to show; use 'run'")
    print(to_toml(load(config, overrides)), end="")
    return 0


def _run(name: str, words: list[str]) -> int:
    taken, overrides = _take(words)
    if _is_demo(name):
        return _run_demo(name, taken.out, overrides)
    if "/" not in name and not name.endswith(".toml") and name not in shipped():
        raise ConfigError(_nothing_called(name))
    experiment = load(name, overrides)

    def train(folder: Path) -> int:
        from experiments.train import run  # what trains comes after the config is right

        run(experiment, folder)
        return 0

    return _in_new_folder(taken.out, experiment.name, train)


def _check(name: str, words: list[str]) -> int:
    if _is_demo(name):
        raise ConfigError(f"'{name}' is a demo, which has no config to check; use 'run'")
    taken, overrides = _take(words, check=True)
    experiment = load(name, overrides)

    def check(folder: Path) -> int:
        from experiments.check import run

        return 0 if run(experiment, folder, taken.level) else 1

    return _in_new_folder(taken.out, f"{experiment.name}-check", check)


def _run_demo(name: str, out: Path, overrides: list[str]) -> int:
    if overrides:
        raise ConfigError(
            f"'{name}' is a demo: it takes --out DIR and no keys (got {' '.join(overrides)})"
        )

    def show(folder: Path) -> int:
        started = time.perf_counter()
        importlib.import_module(f"experiments.demos.{name}").run(folder)
        print(f"{folder}  ({time.perf_counter() - started:.1f} s)")
        return 0

    return _in_new_folder(out, name, show)


def _in_new_folder(out: Path, name: str, work: Callable[[Path], int]) -> int:
    """Let `work` fill a new numbered folder, and return the exit status: that of work, or 1."""
    from experiments.runs import new_folder

    try:
        folder = new_folder(out, name)
    except OSError as error:
        return _fail(f"cannot make a run folder in {out}: {error.strerror}", 1)
    from experiments.data import DataError

    try:
        return work(folder)
    except DataError as error:
        return _fail(str(error), 1)
    finally:
        with contextlib.suppress(OSError):  # goes only if it is empty: no record of anything
            folder.rmdir()


def _is_demo(name: str) -> bool:
    return name in demos.names() and name not in shipped()


def _nothing_called(name: str) -> str:
    hint = did_you_mean(name, [*shipped(), *demos.names()])
    return (
        f"no config or demo is called '{name}'{hint}\n"
        f"  configs: {', '.join(shipped())}\n"
        f"  demos: {', '.join(demos.names())}\n"
        "  any other file: a path that ends in .toml"
    )


def _take(words: list[str], check: bool = False) -> tuple[argparse.Namespace, list[str]]:
    """Take `--out DIR`, and `--level LEVEL` of a check, off the words; the rest are overrides."""
    command = "check" if check else "run"
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments {command}",
        usage=_USAGE[7:],
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, default=Path("runs"))
    if check:
        parser.add_argument("--level", choices=("quick", "full", "exhaustive"), default="full")
    return parser.parse_known_args(words)


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
