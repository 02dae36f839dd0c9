"""Targets: labels of classes, or amounts; which of the two is told by the values or by `task`.

Values come as the different ones and a code for each example, `values[codes[i]]`.
"""

from collections.abc import Sequence

import numpy as np

from experiments.data import limits
from experiments.data.cells import number
from experiments.data.dataset import DataError

Values = Sequence[str] | np.ndarray


def is_classification(task: str | None, values: Values, where: str) -> bool:
    """Whether the target is a class: so said by `task`, else text, or two whole numbers.

    Numbers of which one has a fraction are amounts. Raises DataError where several whole numbers
    leave it open, or `task` asks for amounts of what is text.
    """
    words = [value for value in values if isinstance(value, str)]
    if task == "regression" and words:
        raise DataError(
            f"{where}: expected numbers, as data.task is 'regression', found {words[0]!r}"
        )
    if task is not None or words:
        return task != "regression"
    if any(value != int(value) for value in values):
        return False
    if len(values) > 2:
        raise DataError(
            f"{where}: has {len(values)} different whole numbers, which can be classes or amounts; "
            "set data.task to 'classification' or 'regression'"
        )
    return True


def labels(values: Values, codes: np.ndarray, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(int32 labels, names of the classes): numbers in their order, texts in alphabetical order.

    Raises DataError for a single class, and for more than MOST_TEXTS.
    """
    ordered = sorted(values, key=lambda value: value)
    classes = tuple(dict.fromkeys(class_name(value) for value in ordered))
    if not 2 <= len(classes) <= limits.MOST_TEXTS:
        raise DataError(
            f"{where}: expected between 2 and {limits.MOST_TEXTS} classes, found {len(classes)}"
        )
    places = {name: place for place, name in enumerate(classes)}
    found = np.array([places[class_name(value)] for value in values], np.int32)
    return found[codes], classes


def known_labels(values: Values, codes: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Labels by classes that are known already, int32; -1 for a value that is none of them."""
    places = {name: place for place, name in enumerate(classes)}
    found = []
    for value in values:
        name = class_name(value)
        # A file of its own may say 1.0 where the other said 1.
        as_number = number(name)
        other = name if as_number is None else class_name(as_number)
        found.append(places.get(name, places.get(other, -1)))
    return np.array(found, np.int32)[codes]


def class_name(value: object) -> str:
    """The name of a class: its text; a whole number without a point."""
    if isinstance(value, str):
        return str(value)
    amount = float(value)  # pyright: ignore[reportArgumentType]
    return str(int(amount)) if amount == int(amount) else repr(amount)


def amounts(values: np.ndarray, where: str) -> np.ndarray:
    """Targets of a regression, (n,) or (n, targets) to float64 (n, targets).

    Raises DataError for a target that is the same everywhere.
    """
    columns = values.astype(np.float64).reshape(len(values), -1)
    constant = np.flatnonzero(np.ptp(columns, axis=0) == 0)
    if len(constant):
        raise DataError(
            f"{where}: is {columns[0, constant[0]]:g} in every example, so there is nothing to "
            "predict; choose another target"
        )
    return columns


def weights(values: np.ndarray, where: str, n: int | None = None) -> np.ndarray:
    """How much each of n examples counts, float32 (n,). Raises DataError unless they are numbers,
    one for each example, finite, not negative, and not all 0."""
    fine = values.dtype.kind in "biuf" and values.shape == (len(values) if n is None else n,)
    if not fine:
        raise DataError(f"{where}: expected a number ({n},), got {values.dtype} {values.shape}")
    if not (np.isfinite(values) & (values >= 0)).all() or not values.any():
        worst = values[np.argmin(np.where(np.isfinite(values), values, -np.inf))]
        raise DataError(
            f"{where}: expected weights that are finite, not negative and not all 0, got {worst}"
        )
    return values.astype(np.float32)
