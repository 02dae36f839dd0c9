"""Data sets as NumPy arrays: `load("digits")`, and `read` for what the [data] of a config says.

digits          1,797 images of 8 x 8, ten classes          scikit-learn
iris              150 flowers, 4 features, three classes    scikit-learn
wine              178 wines, 13 features, three classes     scikit-learn
breast_cancer     569 tumours, 30 features, two classes     scikit-learn
diabetes          442 patients, 10 features, regression     scikit-learn
mnist          70,000 images of 28 x 28, ten classes        four IDX files

Data of one's own come by path: a table, an archive of arrays, a folder of images (`data.own`).
"""

import difflib
from typing import TYPE_CHECKING

from experiments.data import bundled, mnist, own
from experiments.data.dataset import DataError, Dataset
from experiments.data.description import describe, read_description
from experiments.data.parts import split

if TYPE_CHECKING:
    from experiments.config.data import Data

__all__ = ["NAMES", "DataError", "Dataset", "describe", "load", "read", "read_description"]

NAMES: tuple[str, ...] = (*bundled.SHAPES, "mnist")


def read(section: "Data", seed: int) -> Dataset:
    """Return what the [data] of a config says, split by `seed`. Raises DataError as `load` does,
    and for files of one's own that are not what they should be."""
    examples = _named(section.name) if section.path is None else own.examples(section)
    return split(
        examples,
        test_fraction=section.test_fraction,
        validation_fraction=section.validation_fraction,
        seed=seed,
    )


def load(
    name: str, *, test_fraction: float = 0.2, validation_fraction: float = 0.0, seed: int = 0
) -> Dataset:
    """Return the data set called `name`, split into a training and a test part.

    `test_fraction` of every class (for diabetes: of all examples) goes to the test part, chosen
    by `seed`; MNIST comes with its own. Of what is left, `validation_fraction` goes to a
    validation part in the same way.

    Raises DataError if the name is unknown, a file is missing or damaged, the split is
    impossible, or the package that holds the data is not installed.
    """
    return split(
        _named(name),
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        seed=seed,
    )


def _named(name: str | None):
    if name not in NAMES:
        close = difflib.get_close_matches(str(name).lower(), NAMES, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(f"unknown data set {name!r}: expected one of {', '.join(NAMES)}{hint}")
    return mnist.examples() if name == "mnist" else bundled.examples(name)
