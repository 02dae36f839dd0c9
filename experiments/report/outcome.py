"""What a network says of the test part, example by example."""

from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
from experiments.data import Dataset
from experiments.training.task import Task


class Outcome(NamedTuple):
    """For each example of the test part: its loss, its class, what was said, and how surely.

    y          labels (n,); in regression targets (n, targets), in raw units
    said       as y
    share      probability of the class said (n,), of all classes (n, classes); None where the
               outputs are no probabilities
    loss       (n,)
    """

    y: np.ndarray
    said: np.ndarray
    loss: np.ndarray
    share: np.ndarray | None

    @property
    def misread(self) -> np.ndarray:
        """Indices of the examples whose class was not said, the largest loss first."""
        order = np.argsort(-self.loss, kind="stable")
        return order[self.said[order] != self.y[order]]


def outcome(task: Task, data: Dataset, net: nn.Layer, params: Any) -> Outcome:
    """Run the network over the test part."""
    outputs = nn.predict(net, params, task.test.x, batch_size=1024)
    loss = np.asarray(task.loss(outputs, task.test.y)[0], np.float64)
    if not data.classes:
        return Outcome(raw(data, data.y_test), raw(data, np.asarray(outputs)), loss, None)
    shares = _probabilities(task.loss.name, outputs)
    whole = np.asarray(outputs if shares is None else shares, np.float64)
    said = whole.argmax(-1)
    return Outcome(np.asarray(data.y_test), said, loss, None if shares is None else whole)


def _probabilities(loss: str, outputs: Any) -> Any:
    """(n, classes), or None for a loss whose outputs are no logits."""
    if loss == nn.softmax_cross_entropy.name:
        return jax.nn.softmax(outputs)
    if loss != nn.sigmoid_cross_entropy.name:
        return None
    found = np.asarray(jax.nn.sigmoid(outputs))
    return np.concatenate([1 - found, found], -1) if found.shape[-1] == 1 else found


def raw(data: Dataset, y: np.ndarray) -> np.ndarray:
    """Targets (n, targets) in the units of the data, float64."""
    scaling = data.scaling
    if scaling is None or scaling.target_std is None or scaling.target_mean is None:
        return y.astype(np.float64)
    return y * scaling.target_std + scaling.target_mean
