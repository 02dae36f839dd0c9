"""Data sets by name, as NumPy arrays: `load("digits")`.

digits          1,797 images of 8 x 8, ten classes          scikit-learn
iris              150 flowers, 4 features, three classes    scikit-learn
wine              178 wines, 13 features, three classes     scikit-learn
breast_cancer     569 tumours, 30 features, two classes     scikit-learn
diabetes          442 patients, 10 features, regression     scikit-learn
mnist          70,000 images of 28 x 28, ten classes        four IDX files
"""

import difflib

from experiments.data import bundled, mnist
from experiments.data.dataset import DataError, Dataset

__all__ = ["NAMES", "DataError", "Dataset", "load"]

NAMES: tuple[str, ...] = (*bundled.SHAPES, "mnist")


def load(name: str, *, test_fraction: float = 0.2, seed: int = 0) -> Dataset:
    """Return the data set called `name`, split into a training and a test part.

    `test_fraction` of every class (for diabetes: of all examples) goes to the test part, chosen
    by `seed`. MNIST comes with its own test part, so there both arguments have no effect.

    Raises DataError if the name is unknown, a file is missing or damaged, the split is
    impossible, or the package that holds the data is not installed.
    """
    if name not in NAMES:
        close = difflib.get_close_matches(name.lower(), NAMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"unknown data set {name!r}: expected one of {', '.join(NAMES)}{hint}")
    if name == "mnist":
        return mnist.load()
    return bundled.load(name, test_fraction, seed)
