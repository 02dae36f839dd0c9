"""Arrays as examples: `x` and `y` of an .npz file, and if given `x_test`, `y_test` and these:

x        uint8 (n, height, width) or (n, height, width, channels): images, 255 becomes 1.0
         numbers (n, features): standardised
         floats of more axes (n, ...): left as they are
y        integers or strings (n,): classes; floats (n,) or (n, targets): amounts
classes  strings: the names of the labels 0, 1, ...
weights  numbers (n,), not negative: how much each example counts in training
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.data import archive, limits, targets
from experiments.data.dataset import DataError
from experiments.data.parts import Examples


class _Pair(NamedTuple):
    """Inputs and targets as they stand in a file, and what to call them in errors."""

    x: np.ndarray
    y: np.ndarray
    where_x: str
    where_y: str


def examples(path: Path, test_path: Path | None, task: str | None) -> Examples:
    """Return the arrays of an .npz file, with those of `test_path` as the test part if given.

    Raises DataError if an array is missing, or not what it should be.
    """
    found = archive.read(path, ("x", "y"), ("x_test", "y_test", "classes", "weights"))
    pair = _pair(path, found, "")
    classes = _classes(path, found["classes"]) if "classes" in found else ()
    y, classes = _targets(pair, task, classes)
    held = None
    if test := _test(path, test_path, found):
        if (test.x.shape[1:], test.x.dtype) != (pair.x.shape[1:], pair.x.dtype):
            raise DataError(
                f"{test.where_x}: expected examples like those of the training part, "
                f"{_kind(pair.x)}, got {_kind(test.x)}"
            )
        labelled = not classes or "classes" not in found
        y_test = _test_targets(test, y, classes) if labelled else _numbered(test, classes)
        held = test.x, y_test
    weights = found.get("weights")
    if weights is not None:
        weights = targets.weights(weights, f"{path}: array 'weights'", len(pair.x))
    width = pair.x.shape[1] if pair.x.dtype == np.float64 else 0
    return Examples(
        path.name,
        pair.x,
        y,
        classes,
        features=tuple(f"x{i}" for i in range(width)),
        pixel_max=255 if pair.x.dtype == np.uint8 else None,
        test=held,
        weights=weights,
    )


def inputs(array: np.ndarray, where: str) -> np.ndarray:
    """Examples as an array holds them: uint8 images, float64 (n, features), float32 (n, ...).

    Raises DataError for other types and axes, for none at all, and for nan or infinity.
    """
    kind, axes = array.dtype.kind, array.ndim
    image = array.dtype == np.uint8 and axes in (3, 4)
    if array.size == 0 or not (
        image or (axes == 2 and kind in "biuf") or (axes > 2 and kind == "f")
    ):
        raise DataError(
            f"{where}: expected numbers (n, features), images of uint8 (n, height, width) or "
            f"(n, height, width, channels), or floats (n, ...), got {array.dtype} {array.shape}"
        )
    if image:
        return array
    check_finite(array, where)
    if axes > 2:
        return array.astype(np.float32)
    limits.check_arrays(where, "its numbers as float64", 8 * array.size)
    return array.astype(np.float64)


def check_finite(array: np.ndarray, where: str) -> None:
    """Raise DataError, with the place of the first, if there is a nan or an infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        count = int((~np.isfinite(array)).sum())
        raise DataError(
            f"{where}: expected finite numbers, found {array[place]} at {list(place)}, "
            f"{count} in all; fill them in, or leave the examples out"
        )


def _pair(path: Path, found: dict[str, np.ndarray], suffix: str) -> _Pair:
    where_x, where_y = (f"{path}: array '{name}{suffix}'" for name in "xy")
    x, y = inputs(found[f"x{suffix}"], where_x), found[f"y{suffix}"]
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise DataError(
            f"{where_y}: expected one target for each of the {len(x)} examples, got {y.shape}"
        )
    check_finite(y, where_y)
    return _Pair(x, y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y, where_x, where_y)


def _test(path: Path, test_path: Path | None, found: dict[str, np.ndarray]) -> _Pair | None:
    inside = [name for name in ("x_test", "y_test") if name in found]
    if test_path and inside:
        raise DataError(f"data.test_path: {path} has a test part already: {', '.join(inside)}")
    if test_path:
        return _pair(test_path, archive.read(test_path, ("x", "y")), "")
    if len(inside) == 1:
        raise DataError(f"{path}: expected both x_test and y_test, or none, found {inside[0]!r}")
    return _pair(path, found, "_test") if inside else None


def _classes(path: Path, names: np.ndarray) -> tuple[str, ...]:
    classes = tuple(names.tolist()) if names.dtype.kind == "U" and names.ndim == 1 else ()
    if not 2 <= len(classes) <= limits.MOST_TEXTS or len(set(classes)) < len(classes):
        raise DataError(
            f"{path}: array 'classes': expected between 2 and {limits.MOST_TEXTS} different "
            f"names, an array of strings, got {names.dtype} {names.shape}"
        )
    return classes


def _targets(
    pair: _Pair, task: str | None, classes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(labels, classes), or (amounts, ()) in regression."""
    y, where = pair.y, pair.where_y
    if classes:
        return _numbered(pair, classes), classes
    if y.ndim == 2 and (task == "classification" or y.dtype.kind != "f"):
        raise DataError(
            f"{where}: expected the label of each example, (n,), got {y.dtype} {y.shape}; "
            "one-hot rows become labels with y.argmax(1)"
        )
    values, codes = np.unique(y, return_inverse=True)
    # Integers are labels by their type, which a text file cannot say.
    if task is None and y.dtype.kind in "biu":
        task = "classification"
    if y.ndim == 1 and targets.is_classification(task, values, where):
        return targets.labels(values, codes, where)
    return targets.amounts(y, where), ()


def _test_targets(test: _Pair, y: np.ndarray, classes: tuple[str, ...]) -> np.ndarray:
    if not classes:
        found = test.y.reshape(len(test.y), -1)
        if found.shape[1] != y.shape[1] or found.dtype.kind not in "biuf":
            raise DataError(
                f"{test.where_y}: expected numbers (n, {y.shape[1]}), got {test.y.dtype} "
                f"{test.y.shape}"
            )
        return found.astype(np.float64)
    if test.y.ndim != 1:
        raise DataError(f"{test.where_y}: expected the label of each example, got {test.y.shape}")
    labels = targets.known_labels(*np.unique(test.y, return_inverse=True), classes)
    if (labels < 0).any():
        first = np.argmin(labels)
        raise DataError(
            f"{test.where_y}: expected the classes of the training part, "
            f"found {test.y[first]!s} at [{first}]"
        )
    return labels


def _numbered(pair: _Pair, classes: tuple[str, ...]) -> np.ndarray:
    """Labels that number the given classes, int32. Raises DataError for anything else."""
    y = pair.y
    whole = y.ndim == 1 and y.dtype.kind in "iu"
    if not whole or y.min() < 0 or y.max() >= len(classes):
        got = f"{y.min()} to {y.max()}" if whole else f"{y.dtype} {y.shape}"
        raise DataError(
            f"{pair.where_y}: expected integers from 0 to {len(classes) - 1}, as there are "
            f"{len(classes)} names in 'classes', got {got}"
        )
    return y.astype(np.int32)


def _kind(x: np.ndarray) -> str:
    return f"{x.dtype} (n, {', '.join(map(str, x.shape[1:]))})"
