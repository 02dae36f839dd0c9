"""What a data set is, and the error raised when one cannot be had."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.common.failures import Failure
from experiments.data.scaling import Scaling


class DataError(Failure):
    """A data set cannot be loaded; the message says why, and what to do about it."""


class Column(NamedTuple):
    """A column of a table: numbers or, where there are `categories`, one of those texts."""

    name: str
    categories: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features it becomes: one, or for each category one of 0 and 1."""
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so == is identity
class Dataset:
    """A training and a test part, and a validation part if one was asked for.

    The arrays are read-only.

    name          the name it was loaded by
    x             training inputs: uint8 images (n, height, width) or (n, height, width, channels),
                  float32 (n, features), or float32 as it was given, (n, ...)
    y             training labels, int32 (n,); in regression float32 targets (n, targets)
    x_test        test inputs, as x
    y_test        test labels or targets, as y
    classes       names of the classes; empty in regression
    pixel_max     the byte that means 1.0, None for inputs that are no bytes
    features      names of the features of tabular data; else empty
    scaling       what the data were standardised by, None where nothing was
    x_validation  validation inputs, as x, or None
    y_validation  validation labels or targets, as y, or None
    columns       the columns that the features came from; empty where each is its own
    weights       how much each training example counts, float32 (n,), or None
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    classes: tuple[str, ...]
    pixel_max: int | None
    features: tuple[str, ...]
    scaling: Scaling | None
    x_validation: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    columns: tuple[Column, ...] = ()
    weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        for array in self.arrays.values():
            array.setflags(write=False)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that are there, by the names of their fields."""
        names = ("x", "y", "x_validation", "y_validation", "x_test", "y_test", "weights")
        return {name: value for name in names if (value := getattr(self, name)) is not None}
