"""Choice of the test examples: by class, or over all examples."""

import numpy as np

from experiments.data.dataset import DataError


def stratified(
    labels: np.ndarray, test_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split examples so that every class has the same fraction in the test part.

    Returns the indices of the training part and of the test part, each in random order. A class
    of n examples gives round(test_fraction * n) of them to the test part, but at least one to
    each part. `labels` is (n,), integers.

    Raises DataError if the fraction is not between 0 and 1, the seed is negative, or a class has
    a single example.
    """
    rng = _generator(test_fraction, seed)
    train, test = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        cut = _test_count(len(members), test_fraction, f"class {label}")
        test.append(members[:cut])
        train.append(members[cut:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))


def shuffled(count: int, test_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split `count` examples at random; returns and raises as `stratified` with one class."""
    order = _generator(test_fraction, seed).permutation(count)
    cut = _test_count(count, test_fraction, "the data set")
    return order[cut:], order[:cut]


def _generator(test_fraction: float, seed: int) -> np.random.Generator:
    """The random numbers of a split, once its two arguments are found good."""
    if not 0 < test_fraction < 1:
        raise DataError(
            f"test_fraction: expected a number above 0 and below 1, got {test_fraction}"
        )
    if seed < 0:
        raise DataError(f"seed: expected an integer of at least 0, got {seed}")
    return np.random.default_rng(seed)


def _test_count(count: int, test_fraction: float, what: str) -> int:
    """Number of test examples among `count`, at least one and not all."""
    if count < 2:
        raise DataError(
            f"{what}: expected at least 2 examples, one for each part, got {count}; "
            "add examples, or leave the class out"
        )
    return min(max(round(test_fraction * count), 1), count - 1)
