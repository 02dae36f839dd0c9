"""The words behind a command that several commands share: a config, --out, how to train."""

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.common.failures import ConfigError, Failure, did_you_mean
from experiments.common.parser import Parser, count
from experiments.config.file import shipped
from experiments.lectures import demos


def add_out(parser: argparse.ArgumentParser) -> None:
    """--out DIR, where numbered folders go."""
    parser.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="(runs)")


def add_training(parser: argparse.ArgumentParser) -> None:
    """What every command that trains takes."""
    add = parser.add_argument
    add("--every", type=count, default=1, metavar="N", help="epochs between checkpoints (1)")
    add("--json", action="store_true", help="one JSON object an epoch, for machines")
    add("--quiet", action="store_true", help="no progress, as in a pipe")


def split(
    parser: Parser, words: Sequence[str], what: str
) -> tuple[str, argparse.Namespace, list[str]]:
    """(name of a config, the command's own flags, overrides); prints help where that is asked for.

    Help on a config itself, `run CONFIG --help`, is left among the overrides.
    """
    if words and words[0] in ("-h", "--help"):
        parser.print_help()
        raise SystemExit(0)
    if not words or words[0].startswith("-"):
        raise ConfigError(
            f"'{what}' needs a config as its next word\n{parser.format_usage().strip()}"
        )
    asked = [word for word in words[1:] if word in ("-h", "--help")]
    own, rest = parser.parse_known_args([word for word in words[1:] if word not in asked])
    return words[0], own, rest + asked


def is_demo(name: str) -> bool:
    """Whether a name means a demo; a shipped config of the same name comes first."""
    return name in demos.names() and name not in shipped()


def known(name: str) -> None:
    """Raise ConfigError unless the name can mean a config or a demo."""
    if "/" in name or name.endswith(".toml") or name in shipped() or name in demos.names():
        return
    hint = did_you_mean(name, [*shipped(), *demos.names()])
    raise ConfigError(
        f"no config or demo is called '{name}'{hint}\n"
        f"  configs: {', '.join(shipped())}\n"
        f"  demos: {', '.join(demos.names())}\n"
        "  any other file: a path that ends in .toml"
    )


def refuse_demo(name: str, command: str) -> None:
    """Raise ConfigError for a demo where only a config will do."""
    if is_demo(name):
        raise ConfigError(f"'{name}' is a demo, which has no config to {command}; use 'run'")


def in_new_folder(out: Path, name: str, work: Callable[[Path], int]) -> int:
    """Let `work` fill a new numbered folder, and return its status. An empty folder goes again."""
    from experiments.common.runs import new_folder

    try:
        folder = new_folder(out, name)
    except OSError as error:
        raise Failure(f"cannot make a run folder in {out}: {error.strerror}") from None
    try:
        return work(folder)
    finally:
        with contextlib.suppress(OSError):  # goes only if it is empty: no record of anything
            folder.rmdir()
