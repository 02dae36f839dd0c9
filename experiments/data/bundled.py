"""The data sets that scikit-learn carries, kept in the cache once they were read.

Importing scikit-learn takes about a second, so it is done once per data set and user.
"""

import contextlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from experiments.common import cache
from experiments.data.dataset import DataError
from experiments.data.parts import Examples

SHAPES: dict[str, tuple[int, ...]] = {
    "digits": (1797, 8, 8),
    "iris": (150, 4),
    "wine": (178, 13),
    "breast_cancer": (569, 30),
    "diabetes": (442, 10),
}

# Part of the cached files' names: raise it when the fields or types of `Raw` change.
FORMAT = 1


class Raw(NamedTuple):
    """A data set as scikit-learn gives it, before the split.

    x         uint8 images (n, 8, 8), or float64 (n, features)
    y         int32 labels (n,), or float64 targets (n, 1)
    classes   names of the classes, (classes,); (0,) in regression
    features  names of the features, (features,); (0,) for images
    """

    x: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    features: np.ndarray


def examples(name: str) -> Examples:
    """Return the data set `name`, a key of SHAPES, before its split.

    Raises DataError if scikit-learn is needed and missing.
    """
    raw = _read(name)
    return Examples(
        name,
        raw.x,
        raw.y,
        classes=tuple(raw.classes.tolist()),
        features=tuple(raw.features.tolist()),
        pixel_max=16 if name == "digits" else None,
    )


def _read(name: str) -> Raw:
    """The raw data set: from the cache, else from scikit-learn and into the cache."""
    path = cache.folder() / f"{name}-{FORMAT}.npz"
    arrays = cache.read_arrays(path)
    if arrays and set(arrays) == set(Raw._fields) and arrays["x"].shape == SHAPES[name]:
        return Raw(**arrays)
    raw = _from_sklearn(name)
    with contextlib.suppress(OSError):  # the cache saves time only
        cache.write_arrays(path, raw._asdict())
    return raw


def _from_sklearn(name: str) -> Raw:
    """Read the data set from scikit-learn. Raises DataError if that is not installed."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(
            f"data set {name!r} comes with scikit-learn, which cannot be imported ({error}); "
            "install it with: pip install 'jaxnn[experiments]' "
            "(in a checkout: pip install -e '.[experiments]')"
        ) from error
    # Units as they were measured: the split decides what the data are standardised by.
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(**options)
    if name == "diabetes":
        return Raw(bunch.data, bunch.target[:, None], _names([]), _names(bunch.feature_names))
    y, classes = bunch.target.astype(np.int32), _names(bunch.target_names)
    if name == "digits":
        return Raw(bunch.images.astype(np.uint8), y, classes, _names([]))
    return Raw(bunch.data, y, classes, _names(bunch.feature_names))


def _names(names: Iterable[object]) -> np.ndarray:
    """Names as an array of strings, which a file holds without pickling."""
    return np.array([str(name) for name in names], dtype=np.str_)
