"""How near reproduced curves are to recorded ones."""

import numpy as np

from experiments.lectures.recorded.files import Curves

TOLERANCE = 1e-9  # of a cost, relative


def cost_difference(found: Curves, expected: Curves) -> np.ndarray:
    """The larger relative difference of the two costs after each epoch, (epochs,).

    Of `expected` only what was recorded counts, and only the epochs that `found` has; (0,) if no
    cost was recorded.
    """
    return _largest(
        [
            np.abs(ours / theirs[: len(ours)] - 1)
            for ours, theirs in _pairs(found, expected, ("evaluation_cost", "training_cost"))
        ]
    )


def count_difference(found: Curves, expected: Curves) -> np.ndarray:
    """The larger difference of the two counts of right answers after each epoch, as above."""
    return _largest(
        [
            np.abs(ours - theirs[: len(ours)])
            for ours, theirs in _pairs(found, expected, ("evaluation_correct", "training_correct"))
        ]
    )


def as_recorded(found: Curves, expected: Curves) -> Curves:
    """The curves found, but empty those of which nothing was recorded."""
    pairs = zip(found, expected, strict=True)
    return Curves(*(ours if theirs.size else theirs for ours, theirs in pairs))


def epochs_within(differences: np.ndarray, tolerance: float) -> int:
    """How many epochs pass before the first difference above the tolerance."""
    above = np.flatnonzero(~(differences <= tolerance))  # nan is above
    return int(above[0]) if above.size else len(differences)


def _pairs(
    found: Curves, expected: Curves, names: tuple[str, ...]
) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = [(getattr(found, name), getattr(expected, name)) for name in names]
    return [(ours, theirs) for ours, theirs in pairs if theirs.size]


def _largest(differences: list[np.ndarray]) -> np.ndarray:
    return np.max(differences, axis=0) if differences else np.empty(0)
