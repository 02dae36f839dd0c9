"""The command line: `python -m experiments.lectures.derivations` prints the tables."""

import sys

from experiments.lectures.derivations.table import show


def main() -> int:
    """Judge every equation, print the tables, and return the exit status."""
    show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
