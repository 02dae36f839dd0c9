"""New examples for a network that is trained: as the description of its data wants them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data import archive, arrays, images, tabular
from experiments.data.dataset import Column, DataError
from experiments.data.description import Description
from experiments.data.own import kind_of
from experiments.data.scaling import standardise


def new_examples(
    description: Description, path: Path
) -> tuple[Sequence[int] | Sequence[str], np.ndarray]:
    """(what to call each example, inputs for the network).

    A table has the columns of the training data, in any order; others, the target among them, are
    not looked at. An .npz file has an array `x`. Images come as a file or a folder of files. The
    names are the numbers of the rows, from 1, or the images' file names. The inputs are scaled as
    the training data were.

    Raises DataError for what cannot be read or does not suit the network, with its place.
    """
    if path.suffix.lower() in images.SUFFIXES and not path.is_dir():
        return _images(description, [path])
    kind = kind_of(path)
    if kind == "images":
        found = images.files(path)
        if not found:
            raise DataError(f"{path}: expected images ({', '.join(images.SUFFIXES)}), found none")
        return _images(description, found)
    x = _rows(description, path) if kind == "table" else _array(description, path)
    return range(1, len(x) + 1), x


def _rows(description: Description, path: Path) -> np.ndarray:
    columns = [Column(c["name"], tuple(c["categories"])) for c in description["columns"]]
    if not columns:
        raise DataError(
            f"{path}: the network takes {_wanted(description)}, not the rows of a table"
        )
    table = tabular.read_columns(path, [column.name for column in columns])
    return _scaled(description, tabular.features(table, columns))


def _array(description: Description, path: Path) -> np.ndarray:
    x = arrays.inputs(archive.read(path, ("x",))["x"], f"{path}: array 'x'")
    _check(description, path, x)
    return _scaled(description, x)


def _images(description: Description, paths: list[Path]) -> tuple[list[str], np.ndarray]:
    x = images.read(paths)
    if description["pixel_max"] != 255:
        raise DataError(
            f"{paths[0]}: the network takes {_wanted(description)}, not image files; "
            "put the examples into an array x of an .npz file"
        )
    _check(description, paths[0], x)
    return [path.name for path in paths], x


def _check(description: Description, path: Path, x: np.ndarray) -> None:
    expected, limit = description["input"], description["pixel_max"]
    tabular_data = description["scaling"] is not None
    alike = tabular_data or str(x.dtype) == expected["dtype"]
    if not alike or list(x.shape[1:]) != expected["shape"]:
        raise DataError(
            f"{path}: expected {_wanted(description)}, got {_shown(x.dtype, x.shape[1:])}"
        )
    if limit and x.max() > limit:
        raise DataError(f"{path}: expected bytes up to {limit}, got {x.max()}")


def _scaled(description: Description, x: np.ndarray) -> np.ndarray:
    scaling = description["scaling"]
    if scaling is None:
        return x
    return standardise(x, np.array(scaling["mean"]), np.array(scaling["std"]))


def _wanted(description: Description) -> str:
    return _shown(description["input"]["dtype"], description["input"]["shape"])


def _shown(dtype: object, shape: Sequence[int]) -> str:
    return f"{dtype} (n, {', '.join(map(str, shape))})"
