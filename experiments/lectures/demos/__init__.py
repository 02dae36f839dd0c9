"""Demonstrations: each module here has `run(folder)`, which prints and plots what it shows.

    python -m experiments run xor

A new one is a file NAME.py with a docstring and `def run(folder: Path) -> None`; its file makes
it known.
"""

from pathlib import Path


def names() -> list[str]:
    """Return the names of the demos, which are found by their files, without importing them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
