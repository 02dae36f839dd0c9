"""Standardisation: subtract the mean, divide by the standard deviation.

The statistics are those of the training part alone, so that nothing of the test part reaches
the network before the test.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so == is identity
class Scaling:
    """Statistics of a training part, float64, in the units of the raw data.

    mean, std                (features,); (1,), of 0 and 1, for inputs that are left as they are
    target_mean, target_std  (targets,) in regression, None in classification

    A prediction z of a standardised target is `z * target_std + target_mean` in raw units.
    """

    mean: np.ndarray
    std: np.ndarray
    target_mean: np.ndarray | None = None
    target_std: np.ndarray | None = None


def statistics(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column of `train`, (n, k) to two (k,), float64.

    The deviation is the biased one (division by n). A constant column gets 1.
    """
    # A constant is recognised by its range: rounding can give it a tiny deviation above zero.
    constant = np.ptp(train, axis=0) == 0
    mean = train.mean(axis=0, dtype=np.float64)
    std = train.std(axis=0, dtype=np.float64)
    return mean, np.where(constant, 1.0, std)


def standardise(values: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return (values - mean) / std as float32, (n, k) to (n, k)."""
    # The difference is taken in float64: a large mean would cost float32 its digits.
    return ((values.astype(np.float64) - mean) / std).astype(np.float32)
