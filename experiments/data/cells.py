"""The cells of one column of a table, taken in chunk by chunk: as numbers, and as texts.

Whether a column holds numbers is known only at its end. Until then both readings are kept, in
little memory: the texts as a code for each cell, given up when they are too many to be categories.
"""

import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.data import limits
from experiments.data.dataset import DataError

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null"})
"""What stands for a missing value, in upper or lower case, with or without spaces around it."""


class Cells(NamedTuple):
    """A column: at least one of its two readings is there.

    numbers  float64 (rows,); None if a cell is not a finite number
    texts    the different texts, in the order in which they came up first; None if too many
    codes    int32 (rows,): cell i says texts[codes[i]]
    """

    numbers: np.ndarray | None
    texts: tuple[str, ...] | None
    codes: np.ndarray


def number(text: str) -> float | None:
    """The finite number that a cell says, None if it says something else."""
    try:
        value = float(text)
    except ValueError:
        return None
    # Python reads 1_000 as a thousand, which no table means.
    return value if math.isfinite(value) and "_" not in text else None


def numbers(cells: Sequence[str]) -> np.ndarray | None:
    """The finite numbers that all cells say, as `number` would; None if one says something else."""
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return values if np.isfinite(values).all() and "_" not in "".join(cells) else None


class Growing:
    """A column while it is read. `where` names it in errors, as file and column."""

    def __init__(self, path: Path, name: str) -> None:
        self._where = f"{path}: column {name!r}"
        self._numbers: array | None = array("d")
        self._texts: dict[str, int] | None = {}
        self._codes = array("i")
        self._first_text = ""

    def extend(self, cells: Sequence[str], lines: Sequence[int], values: np.ndarray | None) -> None:
        """Add cells, the line of each, and their numbers if they are; none is missing.

        Raises DataError once the column is neither numbers nor few enough texts.
        """
        if self._numbers is not None:
            self._add_numbers(cells, lines, values)
        if self._texts is not None:
            self._add_texts(cells)
        if self._numbers is None and self._texts is None:
            raise DataError(
                f"{self._where}: has more than {limits.MOST_TEXTS} different texts, such as "
                f"{self._first_text}, which is not a number; correct it, or leave the column out: "
                "data.ignore"
            )

    def cells(self) -> Cells:
        """The column as it was read."""
        numbers = None if self._numbers is None else np.array(self._numbers)
        texts = None if self._texts is None else tuple(self._texts)
        return Cells(numbers, texts, np.array(self._codes, np.int32))

    def _add_numbers(
        self, cells: Sequence[str], lines: Sequence[int], values: np.ndarray | None
    ) -> None:
        if values is not None and self._numbers is not None:
            self._numbers.frombytes(values.tobytes())
            return
        for cell, line in zip(cells, lines, strict=True):
            if number(cell) is None:
                self._numbers, self._first_text = None, f"{cell!r} in line {line}"
                return

    def _add_texts(self, cells: Sequence[str]) -> None:
        assert self._texts is not None
        for cell in cells:
            self._codes.append(self._texts.setdefault(cell, len(self._texts)))
        if len(self._texts) > limits.MOST_TEXTS:
            self._texts, self._codes = None, array("i")
