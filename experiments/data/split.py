"""Choice of the examples to hold back: by class, or over all examples."""

from collections.abc import Sequence

import numpy as np

from experiments.data.dataset import DataError


def stratified(
    labels: np.ndarray,
    fraction: float,
    seed: int | Sequence[int],
    *,
    key: str = "test_fraction",
    classes: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Split examples so that every class has the same fraction in the part held back.

    Returns the indices of the part to keep and of the part held back, each in random order. A
    class of n examples gives round(fraction * n) of them away, but at least one stays on either
    side. `labels` is (n,), integers. Errors name the fraction by its `key`, and label k by
    `classes[k]`.

    Raises DataError if the fraction is not between 0 and 1, the seed is negative, or a class has
    a single example.
    """
    rng = _generator(fraction, seed, key)
    kept, held = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        name = f"class {classes[label]!r}" if len(classes) else f"class {label}"
        cut = _count_held(len(members), fraction, name)
        held.append(members[:cut])
        kept.append(members[cut:])
    return rng.permutation(np.concatenate(kept)), rng.permutation(np.concatenate(held))


def shuffled(
    count: int, fraction: float, seed: int | Sequence[int], *, key: str = "test_fraction"
) -> tuple[np.ndarray, np.ndarray]:
    """Split `count` examples at random; returns and raises as `stratified` with one class."""
    order = _generator(fraction, seed, key).permutation(count)
    cut = _count_held(count, fraction, "the data set")
    return order[cut:], order[:cut]


def _generator(fraction: float, seed: int | Sequence[int], key: str) -> np.random.Generator:
    """The random numbers of a split, once its two arguments are found good."""
    if not 0 < fraction < 1:
        raise DataError(f"{key}: expected a number above 0 and below 1, got {fraction}")
    if np.min(seed) < 0:
        raise DataError(f"seed: expected an integer of at least 0, got {np.min(seed)}")
    return np.random.default_rng(seed)


def _count_held(count: int, fraction: float, what: str) -> int:
    """Number of examples held back among `count`, at least one and not all."""
    if count < 2:
        raise DataError(
            f"{what}: expected at least 2 examples, one for each part, got {count}; "
            "add examples, or leave the class out"
        )
    return min(max(round(fraction * count), 1), count - 1)
