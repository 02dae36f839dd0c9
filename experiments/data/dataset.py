"""What a data set is, and the error raised when one cannot be had."""

from dataclasses import dataclass

import numpy as np

from experiments.data.scaling import Scaling


class DataError(Exception):
    """A data set cannot be loaded; the message says why, and what to do about it."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so == is identity
class Dataset:
    """A training and a test part. The arrays are read-only.

    name       the name it was loaded by
    x          training inputs: uint8 images (n, height, width), or float32 (n, features)
    y          training labels, int32 (n,); in regression float32 targets (n, 1)
    x_test     test inputs, as x
    y_test     test labels or targets, as y
    classes    names of the classes; empty in regression
    pixel_max  the byte that means 1.0, None for tabular data
    features   names of the features of tabular data; empty for images
    scaling    what tabular data were standardised by, None for images
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

    def __post_init__(self) -> None:
        for array in (self.x, self.y, self.x_test, self.y_test):
            array.setflags(write=False)
