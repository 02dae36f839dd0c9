"""Tables as examples: numbers stay, texts become features of 0 and 1, one for each category."""

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.data import limits, targets
from experiments.data.cells import Cells, number
from experiments.data.dataset import Column, DataError
from experiments.data.parts import Examples
from experiments.data.table import Refused, Table, read

if TYPE_CHECKING:
    from experiments.config.data import Data


def examples(section: "Data", path: Path, test_path: Path | None) -> Examples:
    """Return the rows of a table. Categories and classes are those of the whole file at `path`;
    another in the file at `test_path` is refused.

    Raises DataError for a table that cannot be read, a column that is the same in every row, and
    a target that is missing or does not suit the task.
    """
    target = section.target
    assert target is not None  # the config has seen to it

    def choose(header: tuple[str, ...]) -> list[str]:
        require(path, header, [target], "data.target")
        require(path, header, section.ignore, "data.ignore")
        require(path, header, [section.weights] if section.weights else [], "data.weights")
        return [name for name in header if name not in section.ignore]

    table = read(path, choose)
    where = f"{path}: column {target!r}"
    y, classes = _target(table.columns.pop(target), section.task, where)
    weights = _weights(table, section.weights) if section.weights else None
    if not table.columns:
        raise DataError(f"{path}: expected a column beside the target {target!r}, found none")
    columns = tuple(_column(table, name) for name in table.columns)
    test = None
    if test_path:
        wanted = [target, *(column.name for column in columns)]
        test = _test(read_columns(test_path, wanted), target, columns, classes)
    return Examples(
        path.name,
        features(table, columns),
        y,
        classes,
        features=tuple(name for column in columns for name in column.features),
        columns=columns,
        test=test,
        weights=weights,
    )


def read_columns(path: Path, names: Sequence[str]) -> Table:
    """Read these columns, whatever others there are. Raises DataError as `read`, and for one that
    is missing."""

    def choose(header: tuple[str, ...]) -> Sequence[str]:
        require(path, header, names, "the training data")
        return names

    return read(path, choose)


def features(table: Table, columns: Sequence[Column]) -> np.ndarray:
    """The features of the rows, float64 (rows, features), in the order of `columns`.

    Raises DataError, with line and column, for a text where numbers are wanted, and for a text
    that is none of the categories.
    """
    size = sum(len(column.features) for column in columns)
    limits.check_arrays(table.path, "the features of its rows", 8 * size * len(table.lines))
    x = np.zeros((len(table.lines), size))
    refused, at = Refused(table.path), 0
    for column in columns:
        cells = table.columns[column.name]
        if column.categories:
            _one_hot(x[:, at : at + len(column.categories)], column, cells, table, refused)
        elif cells.numbers is None:
            _refuse_texts(column, cells, table, refused)
        else:
            x[:, at] = cells.numbers
        at += len(column.features)
    refused.check("expected what the columns of the training data hold")
    return x


def require(path: Path, header: Sequence[str], names: Collection[str], by: str) -> None:
    """Raise DataError unless the header has every column that is named by `by`."""
    for name in names:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            hint = f", did you mean {near[0]!r}?" if near else ";"
            has = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
            raise DataError(f"{path}: has no column {name!r}, named by {by}{hint} columns: {has}")


def _target(cells: Cells, task: str | None, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    if cells.numbers is None:
        values, codes = cells.texts or (), cells.codes
    else:
        values, codes = np.unique(cells.numbers, return_inverse=True)
    if targets.is_classification(task, values, where):
        return targets.labels(values, codes, where)
    return targets.amounts(np.asarray(cells.numbers), where), ()


def _weights(table: Table, name: str) -> np.ndarray:
    cells, refused = table.columns.pop(name), Refused(table.path)
    if cells.numbers is None:
        _refuse_texts(Column(name), cells, table, refused)
        refused.check("expected weights")
    return targets.weights(np.asarray(cells.numbers), f"{table.path}: column {name!r}")


def _test(
    table: Table, target: str, columns: Sequence[Column], classes: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(features, targets) of a test file."""
    cells, refused = table.columns[target], Refused(table.path)
    if not classes:
        if cells.numbers is None:
            _refuse_texts(Column(target), cells, table, refused)
        refused.check("expected numbers to predict, as in the training data")
        return features(table, columns), np.asarray(cells.numbers)[:, None]
    if cells.texts is None:
        raise DataError(f"{table.path}: column {target!r}: expected one of {_some(classes)}")
    y = targets.known_labels(cells.texts, cells.codes, classes)
    for row in np.flatnonzero(y < 0):
        refused.add(_unlike(table, row, target, cells, f"one of {_some(classes)}"))
    refused.check("expected the classes of the training data")
    return features(table, columns), y


def _column(table: Table, name: str) -> Column:
    """What kind of column it is. Raises DataError if that is a mistake, by all appearance."""
    cells = table.columns[name]
    where = f"{table.path}: column {name!r}"
    values = cells.texts if cells.numbers is None else (cells.numbers.min(), cells.numbers.max())
    assert values is not None
    if len(set(values)) == 1:
        raise DataError(
            f"{where}: is {values[0]!s} in every row, which tells no row from another; "
            "leave it out: data.ignore"
        )
    if cells.numbers is not None:
        return Column(name)
    if all(number(text.replace(",", ".")) is not None for text in cells.texts or ()):
        first = next(text for text in cells.texts or () if "," in text)
        raise DataError(
            f"{where}: has commas in its numbers, expected points, as in 1.5 (got {first!r})"
        )
    is_number = np.array([number(text) is not None for text in cells.texts or ()])
    if len(values) > 20 and is_number[cells.codes].mean() > 0.5:
        row = np.flatnonzero(~is_number[cells.codes])[0]
        found = _unlike(table, row, name, cells, "a number, as in most rows")
        raise DataError(f"{table.path}: {found}; correct it, or leave the column out: data.ignore")
    return Column(name, tuple(sorted(cells.texts or ())))


def _one_hot(
    into: np.ndarray, column: Column, cells: Cells, table: Table, refused: Refused
) -> None:
    places = {category: place for place, category in enumerate(column.categories)}
    # Numbers in more variety than a text column can have: none is a category then, or nearly.
    if cells.texts is None:
        refused.add(f"column {column.name!r}: expected one of {_some(column.categories)}")
        return
    found = np.array([places.get(text, -1) for text in cells.texts])[cells.codes]
    for row in np.flatnonzero(found < 0):
        expected = f"one of {_some(column.categories)}"
        refused.add(_unlike(table, row, column.name, cells, expected))
    into[np.arange(len(found)), found] = 1.0


def _refuse_texts(column: Column, cells: Cells, table: Table, refused: Refused) -> None:
    texts = cells.texts or ()
    is_text = np.array([number(text) is None for text in texts])[cells.codes]
    for row in np.flatnonzero(is_text):
        refused.add(_unlike(table, row, column.name, cells, "a number"))


def _unlike(table: Table, row: np.intp, name: str, cells: Cells, expected: str) -> str:
    text = (cells.texts or ())[cells.codes[row]]
    return f"line {table.lines[row]}, column {name!r}: expected {expected} (got {text!r})"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
