"""The command line: `python -m experiments COMMAND ...`."""

import gc
import importlib
import os
import sys

from experiments.commands import COMMANDS, USAGE
from experiments.common.failures import ConfigError, Failure, did_you_mean


def main(words: list[str]) -> int:
    """Do what the words of the command line ask for, and return the exit status.

    The status is 0 on success, 1 where the machine, the data or the training stood in the way, 2
    where the command line or the config is wrong, and 130 after an interruption.
    """
    try:
        return _dispatch(words)
    except Failure as failure:
        return _fail(str(failure), failure.status)
    except OSError as error:
        if error.strerror is None:
            raise
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror}", 1)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _dispatch(words: list[str]) -> int:
    if not words:
        return _fail(f"{USAGE}\nmore: python -m experiments --help", 2)
    command, *rest = words
    if command in ("-h", "--help"):
        command, rest = "usage", []
    elif command not in COMMANDS:
        hint = did_you_mean(command, list(COMMANDS))
        raise ConfigError(f"unknown command '{command}'{hint}\n{USAGE}")
    return importlib.import_module(f"experiments.commands.{command}").main(rest)


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


if __name__ == "__main__":
    gc.set_threshold(100_000, 20, 20)  # importing and tracing make much, and hardly any garbage
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # every file is closed; to take the interpreter apart would take half a second
