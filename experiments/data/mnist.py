"""MNIST: handwritten digits in four IDX files, found on this machine or downloaded.

Every file, plain or with .gz, is looked for in the folder `mnist` of $JAXNN_DATA_DIR, then in
the folder `mnist` of the user's cache. Where it is in neither, it is downloaded to the cache,
unless JAXNN_DATA_DIR is set: whoever sets it says where the data are.
"""

import os
from pathlib import Path

import numpy as np

from experiments.common import cache
from experiments.data import idx
from experiments.data.dataset import DataError, Dataset
from experiments.data.download import download
from experiments.data.parts import Examples, split

FILES = (
    idx.Spec(
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    idx.Spec(
        "train-labels-idx1-ubyte",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    idx.Spec(
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    idx.Spec(
        "t10k-labels-idx1-ubyte",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


def examples() -> Examples:
    """Return MNIST with its official test part: 60,000 images (28, 28) and 10,000 for the test.

    Raises DataError if a file is damaged, or neither found nor downloaded.
    """
    x, y, x_test, y_test = (_array(spec) for spec in FILES)
    test = x_test, y_test.astype(np.int32)
    classes = tuple("0123456789")
    return Examples("mnist", x, y.astype(np.int32), classes, pixel_max=255, test=test)


def load() -> Dataset:
    """Return MNIST as a data set, as it comes."""
    return split(examples())


def _array(spec: idx.Spec) -> np.ndarray:
    """The contents of one file, from wherever it is had. Raises DataError as `load`."""
    cached = cache.folder() / "mnist"
    data_dir = os.environ.get("JAXNN_DATA_DIR")
    folders = [Path(data_dir) / "mnist", cached] if data_dir else [cached]
    for folder in folders:
        for path in (folder / spec.name, folder / f"{spec.name}.gz"):
            # Unlike Path.is_file, this is False in a folder that may not be entered.
            if os.path.isfile(path):
                return idx.read(path, spec)
    if data_dir:
        raise DataError(
            f"JAXNN_DATA_DIR is set, but {folders[0]} has neither {spec.name} nor "
            f"{spec.name}.gz, and {cached} has no copy; put the file into one of the two "
            "folders, or unset JAXNN_DATA_DIR to have it downloaded"
        )
    names = ", ".join(f"{file.name}.gz" for file in FILES)
    by_hand = f"put these files into {cached}, or into mnist in $JAXNN_DATA_DIR: {names}"
    return download(spec, cached, by_hand)
