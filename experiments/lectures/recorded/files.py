"""The recorded files: JSON in the folder `nielsen` of $JAXNN_DATA_DIR."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.data import DataError
from experiments.lectures.recorded.runs import Run


class Curves(NamedTuple):
    """Four numbers after each epoch, (epochs,) each; (0,) where nothing was recorded.

    A cost is the mean over examples plus the penalty lambda/(2n) sum w^2, n being the number of the
    examples it is taken over. Of accuracy the number of right answers is kept. In this order they
    stand in the files.
    """

    evaluation_cost: np.ndarray
    evaluation_correct: np.ndarray
    training_cost: np.ndarray
    training_correct: np.ndarray


def recorded(run: Run) -> Curves:
    """What was recorded of a run. Raises DataError if the file is missing or holds no curves."""
    path, found = _read(run.file)
    try:
        for key in run.place:
            found = found[key]
        curves = Curves(*(np.array(curve) for curve in found))
    except (TypeError, KeyError, IndexError, ValueError):
        raise _damaged(path, f"four curves of {run.name}") from None
    if any(curve.shape not in ((0,), (run.epochs,)) for curve in curves):
        raise _damaged(path, f"four curves of {run.name} with {run.epochs} numbers or none")
    return curves


def recorded_norms(hidden_layers: int) -> np.ndarray:
    """Norms of the errors in a network of 2, 3 or 4 hidden layers, (500 steps, hidden_layers).

    Raises DataError if the file is missing or holds something else.
    """
    return _numbers(f"norms_during_training_{hidden_layers}_layers.json", (500, hidden_layers))


def recorded_errors() -> np.ndarray:
    """Mean errors of the first six neurons of both hidden layers before training, (2, 6).

    Raises DataError if the file is missing or holds something else.
    """
    return _numbers("initial_gradient.json", (2, 6))


def _numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    path, found = _read(name)
    try:
        numbers = np.array(found, float)
    except (TypeError, ValueError):
        raise _damaged(path, f"numbers {shape}") from None
    if numbers.shape != shape:
        raise _damaged(path, f"numbers {shape}")
    return numbers


def _read(name: str) -> tuple[Path, Any]:
    data_dir = os.environ.get("JAXNN_DATA_DIR")
    if not data_dir:
        raise DataError(
            "JAXNN_DATA_DIR is not set: name a folder in it that holds the recorded curves, as "
            f"nielsen/{name} (they are in the public repository of Nielsen's book)"
        )
    path = Path(data_dir) / "nielsen" / name
    try:
        return path, json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"{path}: expected a recorded curve, got: {error.strerror}; JAXNN_DATA_DIR must name a "
            f"folder with nielsen/{name} in it"
        ) from error
    except ValueError as error:  # JSON and UTF-8
        raise _damaged(path, "JSON") from error


def _damaged(path: Path, expected: str) -> DataError:
    return DataError(f"{path}: expected {expected}, found something else; put a good copy there")
