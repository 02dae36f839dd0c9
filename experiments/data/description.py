"""What a run keeps of its data: enough to read new examples, and to know the data again."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from typing_extensions import TypedDict

from experiments.data.dataset import Column, DataError, Dataset


class Input(TypedDict):
    """Shape and type of what the network is given for one example."""

    shape: list[int]
    dtype: Literal["uint8", "float32"]


class ColumnNames(TypedDict):
    """As `Column`."""

    name: str
    categories: list[str]


class Statistics(TypedDict):
    """What was subtracted, and what it was divided by."""

    mean: list[float]
    std: list[float]


class Description(TypedDict):
    """A data set without its examples, in what JSON knows; floats come back exactly.

    columns      those of a table that hold the features, in their order; empty for images
    scaling      None where the inputs are left as they are
    examples     the number of examples in every part
    fingerprint  SHA-256 of all arrays as they were trained on
    """

    name: str
    task: Literal["classification", "regression"]
    classes: list[str]
    input: Input
    pixel_max: int | None
    columns: list[ColumnNames]
    scaling: Statistics | None
    target_scaling: Statistics | None
    examples: dict[str, int]
    fingerprint: str


def describe(data: Dataset) -> Description:
    """Return the description of a data set."""
    columns = data.columns or tuple(Column(feature) for feature in data.features)
    scaling = data.scaling
    return {
        "name": data.name,
        "task": "classification" if data.classes else "regression",
        "classes": list(data.classes),
        "input": {
            "shape": list(data.x.shape[1:]),
            "dtype": "uint8" if data.pixel_max else "float32",
        },
        "pixel_max": data.pixel_max,
        "columns": [{"name": c.name, "categories": list(c.categories)} for c in columns],
        "scaling": _statistics(scaling.mean, scaling.std) if scaling and data.features else None,
        "target_scaling": _statistics(scaling.target_mean, scaling.target_std) if scaling else None,
        "examples": {
            "train": len(data.x),
            "validation": 0 if data.x_validation is None else len(data.x_validation),
            "test": len(data.x_test),
        },
        "fingerprint": fingerprint(data),
    }


def fingerprint(data: Dataset) -> str:
    """SHA-256 of the arrays, with their names, types and shapes, in hexadecimal."""
    digest = hashlib.sha256()
    for name, array in data.arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def read_description(path: Path) -> Description:
    """Return the description in a JSON file. Raises DataError if the file has none."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Description).validate_json(path.read_bytes(), strict=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise DataError(
            f"{path}: expected the description of a data set, as a run writes it, "
            f"got: {where + ': ' if where else ''}{first['msg']}; train again to have it written"
        ) from None


def _statistics(mean: np.ndarray | None, std: np.ndarray | None) -> Statistics | None:
    return None if mean is None or std is None else {"mean": mean.tolist(), "std": std.tolist()}
