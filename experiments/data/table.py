"""Tables in text, .csv and .tsv, read strictly: RFC 4180 in UTF-8, with a header row.

The separator is told by the header: a comma, a semicolon or a tab. Blank lines are skipped. A
missing value or a row of another length is refused by its line in the file; all of a file are
counted, and the first ten are listed.
"""

import csv
import re
from array import array
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from experiments.data import limits
from experiments.data.cells import MISSING, Cells, Growing, numbers
from experiments.data.dataset import DataError

_CHUNK = 4096  # rows
_SEPARATORS = ",;\t"


class Table(NamedTuple):
    """The columns that were asked for, and the first line of every row in the file."""

    path: Path
    lines: np.ndarray
    columns: dict[str, Cells]


def read(path: Path, choose: Callable[[tuple[str, ...]], Collection[str]]) -> Table:
    """Read the columns that `choose` picks from those of the header.

    Raises DataError, naming file, line and column, if the file cannot be read, is no such table,
    or a value is missing.
    """
    try:
        limits.check_table(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, file, choose)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected text in UTF-8, found the byte {error.object[error.start]:#04x}; "
            "save it again as UTF-8"
        ) from None


class Refused:
    """What is wrong with single cells or rows: counted, and the first ten kept."""

    def __init__(self, path: Path) -> None:
        self._path, self._shown, self._count = path, [], 0

    def add(self, problem: str) -> None:
        """Add one problem, which names its line."""
        self._count += 1
        if self._count <= 10:
            self._shown.append(f"\n  {problem}")

    def check(self, cure: str) -> None:
        """Raise DataError if there was any problem."""
        if self._count:
            count = "1 problem" if self._count == 1 else f"{self._count} problems"
            first = "" if self._count <= 10 else ", the first ten:"
            raise DataError(f"{self._path}: {count}; {cure}{first}{''.join(self._shown)}")


def _read(path: Path, file: IO[str], choose: Callable) -> Table:
    start = file.readline(2**16)
    file.seek(0)
    reader = csv.reader(file, delimiter=_separator(path, start), strict=True)
    refused = Refused(path)
    try:
        header = _header(path, reader)
        kept = [(header.index(name), name, Growing(path, name)) for name in choose(header)]
        lines = array("q")
        rows = _rows(reader, len(header), refused)
        while chunk := list(islice(rows, _CHUNK)):
            below = [line for line, _ in chunk]
            lines.extend(below)
            for place, name, growing in kept:
                cells = [row[place] for _, row in chunk]
                if (values := numbers(cells)) is not None:
                    growing.extend(cells, below, values)
                else:  # only then can one be missing
                    growing.extend(*_present(cells, below, name, refused), None)
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num}: not a table in CSV: {error}; a quote inside quotes "
            "is written twice"
        ) from None
    refused.check("fill in what is missing, or leave the row out")
    if not lines:
        raise DataError(f"{path}: expected rows below the header, found none")
    return Table(path, np.array(lines), {name: growing.cells() for _, name, growing in kept})


def _separator(path: Path, start: str) -> str:
    """The separator that the header has most of, outside of quotes."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(_SEPARATORS, key=re.sub('"[^"]*"', "", start).count)


def _header(path: Path, reader: Iterator[list[str]]) -> tuple[str, ...]:
    header = tuple(name.strip() for name in next((row for row in reader if row), ()))
    if not header:
        raise DataError(f"{path}: is empty, expected a header row and rows below it")
    for number, name in enumerate(header):
        if not name:
            raise DataError(
                f"{path}: column {number + 1} has no name in the header; write one "
                "(pandas leaves the column of row numbers away with index=False)"
            )
        if name in header[:number]:
            raise DataError(f"{path}: two columns are called {name!r}; rename one of them")
    return header


def _rows(reader, width: int, refused: Refused) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of every row that is as long as the header."""
    line = reader.line_num + 1
    for row in reader:
        if len(row) == width:
            yield line, row
        elif row:  # a blank line has no cell at all
            refused.add(f"line {line}: expected {width} cells, as in the header, got {len(row)}")
        line = reader.line_num + 1


def _present(
    cells: list[str], lines: list[int], name: str, refused: Refused
) -> tuple[list[str], list[int]]:
    """The cells that are not missing, and their lines."""
    missing = {cell for cell in set(cells) if cell.strip().casefold() in MISSING}
    if not missing:
        return cells, lines
    pairs = list(zip(cells, lines, strict=True))
    for cell, line in pairs:
        if cell in missing:
            refused.add(f"line {line}, column {name!r}: missing value (got {cell!r})")
    left = [(cell, line) for cell, line in pairs if cell not in missing]
    return [cell for cell, _ in left], [line for _, line in left]
