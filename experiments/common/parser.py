"""Reading the words behind a command."""

import argparse
from typing import NoReturn

from experiments.common.failures import ConfigError


class Parser(argparse.ArgumentParser):
    """argparse that refuses in one message, as everything else here does."""

    def __init__(self, command: str, usage: str, about: str) -> None:
        super().__init__(
            prog=f"python -m experiments {command}",
            usage=f"python -m experiments {command} {usage}",
            description=about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}\n{self.format_usage().strip()}")


def count(word: str) -> int:
    """The type of an argument that says how many."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1 (got '{word}')")
    return int(word)
