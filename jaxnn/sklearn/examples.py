"""The examples of a fit: inputs, targets and weights, and the part held out of them."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split


class Examples(NamedTuple):
    """x (n, features), targets as the loss takes them, weights (n,) or None."""

    x: np.ndarray
    targets: np.ndarray
    weights: np.ndarray | None

    def rows(self, rows: np.ndarray) -> "Examples":
        """Some of them."""
        weights = None if self.weights is None else self.weights[rows]
        return Examples(self.x[rows], self.targets[rows], weights)


def held_out(
    examples: Examples, fraction: float, seed: int, strata: np.ndarray | None
) -> tuple[Examples, Examples]:
    """(for training, for validation), `fraction` of them in the second, as many of each stratum.

    Raises ValueError where that leaves fewer than two for validation.
    """
    train, validation = train_test_split(
        np.arange(len(examples.x)), test_size=fraction, random_state=seed, stratify=strata
    )
    if len(validation) < 2:
        raise ValueError(
            f"expected 2 or more examples held out for validation, got {len(validation)}: "
            f"validation_fraction={fraction!r} of {len(examples.x)}; raise validation_fraction, "
            "give X_val and y_val, or fit without early_stopping"
        )
    return examples.rows(np.asarray(train)), examples.rows(np.asarray(validation))


def check_weights(weights: np.ndarray) -> None:
    """Refuse weights that are negative or all zero."""
    if not (weights.min() >= 0 and weights.max() > 0):
        raise ValueError(
            "expected sample weights >= 0 with at least one that is not zero, got weights from "
            f"{weights.min():g} to {weights.max():g}"
        )


def mean_weight(examples: Examples) -> float:
    """The mean of the weights, 1 without weights."""
    return 1.0 if examples.weights is None else float(examples.weights.mean())
