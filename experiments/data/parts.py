"""From all examples to the parts: training, validation and test, standardised by the first.

The test part is cut off first and the validation part then from what is left, by random numbers
of its own: asking for a validation part leaves the test part as it was.
"""

from dataclasses import dataclass

import numpy as np

from experiments.data.dataset import Column, Dataset
from experiments.data.scaling import Scaling, standardise, statistics
from experiments.data.split import shuffled, stratified


@dataclass(frozen=True, eq=False)
class Examples:
    """A data set before the split, in its own units.

    x         uint8 images, float64 (n, features), or float32 (n, ...) to be left as it is
    y         int32 labels (n,), or float64 targets (n, targets)
    classes   names of the classes; empty in regression
    features  names of the features if x is to be standardised, else empty
    test      (x, y) of a test part of its own, None if one is to be cut off
    weights   how much each counts in training, float32 (n,), None where all count alike
    The others are as in Dataset.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    features: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    pixel_max: int | None = None
    test: tuple[np.ndarray, np.ndarray] | None = None
    weights: np.ndarray | None = None


def split(
    examples: Examples,
    *,
    test_fraction: float = 0.2,
    validation_fraction: float = 0.0,
    seed: int = 0,
) -> Dataset:
    """Return the data set with its parts; `validation_fraction` is of the training part.

    Raises DataError if a fraction is impossible, or a class has too few examples for its parts.
    """
    train, held, validation = _indices(examples, test_fraction, validation_fraction, seed)
    # All examples, in their order, are no reason to copy them.
    x, y = (part if len(train) == len(part) else part[train] for part in (examples.x, examples.y))
    test = examples.test or (examples.x[held], examples.y[held])
    scaling = _scaling(examples, x, y)
    x, y = _scaled(examples, scaling, x, y)
    x_test, y_test = _scaled(examples, scaling, *test)
    x_validation, y_validation = None, None
    if validation is not None:
        own = examples.x[validation], examples.y[validation]
        x_validation, y_validation = _scaled(examples, scaling, *own)
    return Dataset(
        examples.name,
        x,
        y,
        x_test,
        y_test,
        examples.classes,
        examples.pixel_max,
        examples.features,
        scaling,
        x_validation,
        y_validation,
        examples.columns,
        None if examples.weights is None else examples.weights[train],
    )


def _indices(
    examples: Examples, test_fraction: float, validation_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Which examples go to the training, the test and the validation part."""
    train, held, validation = np.arange(len(examples.y)), None, None
    if examples.test is None:
        train, held = _cut(examples, train, test_fraction, seed, "test_fraction")
    if validation_fraction:
        # A list is a seed of its own: the test part was drawn by the number alone.
        own = [seed, 1]
        train, validation = _cut(examples, train, validation_fraction, own, "validation_fraction")
    return train, held, validation


def _cut(examples: Examples, among: np.ndarray, fraction: float, seed: int | list[int], key: str):
    """Indices to keep and to hold back out of `among`, with the classes in proportion."""
    if examples.classes:
        labels = examples.y[among]
        kept, held = stratified(labels, fraction, seed, key=key, classes=examples.classes)
    else:
        kept, held = shuffled(len(among), fraction, seed, key=key)
    return among[kept], among[held]


def _scaled(
    examples: Examples, scaling: Scaling | None, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A part in the units of the network."""
    if scaling and examples.features:
        x = standardise(x, scaling.mean, scaling.std)
    if scaling and scaling.target_mean is not None and scaling.target_std is not None:
        y = standardise(y, scaling.target_mean, scaling.target_std)
    return x, y


def _scaling(examples: Examples, x: np.ndarray, y: np.ndarray) -> Scaling | None:
    """Statistics of the training part; inputs that are not standardised count as mean 0, std 1."""
    if not examples.features and examples.classes:
        return None
    mean, std = statistics(x) if examples.features else (np.zeros(1), np.ones(1))
    # A category's 0 and 1 stay: a rare one would become a very large number.
    kinds = [bool(column.categories) for column in examples.columns for _ in column.features]
    if any(kinds):
        mean, std = np.where(kinds, 0.0, mean), np.where(kinds, 1.0, std)
    if examples.classes:
        return Scaling(mean, std)
    return Scaling(mean, std, *statistics(y))
