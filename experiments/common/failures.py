"""What ends a command in one message instead of a traceback."""


class Failure(Exception):
    """Something stood in the way; the message says what, and what to do about it."""

    status = 1
    """The exit status: 1 for the machine, the data or the training, 2 for what was asked for."""
