"""What a config stands for, once its data are there: network, loss, optimizer, examples."""

from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Experiment, Train
from experiments.data import Dataset
from experiments.training import build
from jaxnn.core.walk import mixing_layers
from jaxnn.optim.asking import asks_more


class Part(NamedTuple):
    """Examples on the device: inputs, targets, and how much each counts (None: all alike)."""

    x: Any
    y: Any
    weights: Any = None


class Task(NamedTuple):
    """Everything that training needs. `validation` is None where the config holds no part back."""

    net: nn.Layer
    loss: nn.Loss
    optimizer: Any
    penalty: Any
    train: Part
    test: Part
    validation: Part | None = None

    @property
    def selection(self) -> str:
        """The part that early stopping and the best epoch go by: never the test part."""
        return "train" if self.validation is None else "validation"


def prepare(experiment: Experiment, data: Dataset) -> Task:
    """The task of a config on its data. Raises ConfigError where the two do not fit."""
    try:
        net = build.network(experiment, data.pixel_max)
        targets = build.targets(experiment, net, data)
    except (TypeError, ValueError) as error:  # a layer that refuses its input
        raise ConfigError(f"model.layers: {error}") from error
    mixing = mixing_layers(net)
    if experiment.train.micro_batches > 1 and mixing:
        raise ConfigError(
            f"train.micro_batches: expected 1 with {', '.join(mixing)}, which takes a mini-batch "
            "as a whole"
        )
    optimizer = build.optimizer(experiment.train, len(data.x))
    if mixing and asks_more(optimizer):
        raise ConfigError(
            f"train: clip_examples, noise_scale and kfac look at each example, and "
            f"{', '.join(mixing)} mixes them; leave one of the two out"
        )
    y, y_test, y_validation = map(targets, (data.y, data.y_test, data.y_validation))
    held = data.x_validation
    return Task(
        net,
        build.loss(experiment.model),
        optimizer,
        build.penalty(experiment.train),
        Part(jax.device_put(data.x), jax.device_put(y), example_weights(experiment.train, data)),
        Part(jax.device_put(data.x_test), jax.device_put(y_test)),
        None if held is None else Part(jax.device_put(held), jax.device_put(y_validation)),
    )


def example_weights(train: Train, data: Dataset) -> Any:
    """The weight of every training example: its own times that of its class; None where all count
    alike.

    `balanced` gives each class the same total: n / (classes * examples of the class).
    """
    by_class, own = class_weights(train, data), data.weights
    if by_class is None:
        return None if own is None else jax.device_put(own)
    found = by_class[data.y] if own is None else by_class[data.y] * own
    return jax.device_put(found.astype(np.float32))


def class_weights(train: Train, data: Dataset) -> np.ndarray | None:
    """The weight of every class; None where all count alike. Raises ConfigError without classes."""
    given, k = train.class_weights, len(data.classes)
    if not given and not train.balanced:
        return None
    if not k:
        key = "balanced" if train.balanced else "class_weights"
        raise ConfigError(f"train.{key}: {data.name} has numbers to predict, no classes")
    if train.balanced:
        counts = np.maximum(np.bincount(data.y, minlength=k), 1)
        return len(data.y) / (k * counts)
    if len(given) != k:
        raise ConfigError(
            f"train.class_weights: expected {k} numbers, one for each class of {data.name} "
            f"({', '.join(data.classes)}), got {len(given)}"
        )
    return np.asarray(given)
