"""What ends a command in one message instead of a traceback."""

import difflib
from collections.abc import Iterable


class Failure(Exception):
    """Something stood in the way; the message says what, and what to do about it."""

    status = 1
    """The exit status: 1 for the machine, the data or the training, 2 for what was asked for."""


class ConfigError(Failure):
    """A config, or the way it was asked for, is wrong; the message is ready to be printed."""

    status = 2


def did_you_mean(word: object, choices: Iterable[str]) -> str:
    """Return ", did you mean '...'?" if one of the choices is near to the word, else nothing."""
    near = difflib.get_close_matches(str(word).lower(), list(choices), n=1)
    return f", did you mean '{near[0]}'?" if near else ""
