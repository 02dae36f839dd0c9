"""From a config to the values of jaxnn: each table maps a `kind` to what it stands for."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Dense, Experiment, Model, Train
from experiments.data import Dataset
from jaxnn.core.layer import outputs_like

_INITIALIZERS: dict[str, Callable[[Any], Any]] = {
    "glorot": lambda spec: nn.initializers.glorot.replace(distribution=spec.distribution),
    "he": lambda spec: nn.initializers.he.replace(distribution=spec.distribution),
    "lecun": lambda spec: nn.initializers.lecun.replace(distribution=spec.distribution),
    "normal": lambda spec: nn.initializers.normal(spec.std),
    "uniform": lambda spec: nn.initializers.uniform(spec.low, spec.high),
    "constant": lambda spec: nn.initializers.constant(spec.value),
}


def _dense(spec: Dense) -> list[nn.Layer]:
    w_init, b_init = (_INITIALIZERS[init.kind](init) for init in (spec.init, spec.bias_init))
    dense = nn.Dense(spec.units, w_init=w_init, b_init=b_init, bias=spec.bias)
    return [dense] if spec.activation == "linear" else [dense, getattr(nn, spec.activation)]


def _activation(spec: Any) -> list[nn.Layer]:
    layer = getattr(nn, spec.name)
    return [layer if spec.parameter is None else layer(spec.parameter)]


_LAYERS: dict[str, Callable[[Any], list[nn.Layer]]] = {
    "dense": _dense,
    "activation": _activation,
    "flatten": lambda spec: [nn.Flatten()],
    "dropout": lambda spec: [
        nn.Dropout(spec.drop_rate, per=spec.per, draw=spec.draw, rescale=spec.rescale)
    ],
    "batch_norm": lambda spec: [nn.BatchNorm(learned=spec.learned, eps=spec.eps)],
}

_RULES: dict[str, nn.feedback.BackwardRule] = {
    "feedback_alignment": nn.feedback.FeedbackAlignment(),
    "sign_symmetric": nn.feedback.SignSymmetric(),
    "kolen_pollack": nn.feedback.KolenPollack(),
    "weight_mirror": nn.feedback.WeightMirror(),
    "direct_feedback_alignment": nn.feedback.DirectFeedbackAlignment(),
    "direct_random_target_projection": nn.feedback.DirectRandomTargetProjection(),
}

_LOSSES: dict[str, Callable[[Any], nn.Loss]] = {
    "softmax_cross_entropy": lambda spec: nn.softmax_cross_entropy.replace(
        smoothing=spec.smoothing
    ),
    "sigmoid_cross_entropy": lambda spec: nn.sigmoid_cross_entropy,
    "half_square": lambda spec: nn.half_square,
    "sum_square": lambda spec: nn.sum_square,
}

_OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "sgd": nn.SGD,
    "rmsprop": nn.RMSProp,
    "adagrad": nn.AdaGrad,
    "adam": nn.Adam,
    "adamw": nn.AdamW,
}

_SCHEDULES: dict[str, Callable[[Any, float, int], Any]] = {
    "constant": lambda spec, lr, steps: lr,
    "exponential": lambda spec, lr, steps: nn.schedules.ExponentialDecay(
        lr, spec.factor, spec.every
    ),
    "inverse": lambda spec, lr, steps: nn.schedules.InverseDecay(lr, spec.decay),
    "step": lambda spec, lr, steps: nn.schedules.StepDecay(lr, spec.factor, spec.every),
    "cosine": lambda spec, lr, steps: nn.schedules.CosineDecay(lr, steps, final=spec.final * lr),
    "plateau": lambda spec, lr, steps: lr,  # comes down between epochs, see training.history
}


def network(experiment: Experiment, pixel_max: int | None) -> nn.Layer:
    """The layers of the config; in front of them, for images, the one that reads bytes."""
    model = experiment.model
    layers: list[nn.Layer] = [nn.Pixels(float(pixel_max))] if pixel_max else []
    for spec in model.layers:
        layers += _LAYERS[spec.kind](spec)
    net = nn.serial(*layers)
    if model.backward != "backprop":
        net = nn.feedback.with_rule(net, _RULES[model.backward])
    precision = experiment.train.precision
    return net if precision == "float32" else nn.MixedPrecision(net, precision)


def loss(model: Model) -> nn.Loss:
    """The loss of the config."""
    return _LOSSES[model.loss.kind](model.loss)


def optimizer(train: Train, examples: int, factor: float = 1.0) -> Any:
    """The optimizer of the config, with its schedule times `factor` and behind its clipping."""
    steps = train.epochs * math.ceil(min(train.sample or examples, examples) / train.batch_size)
    rate = _SCHEDULES[train.schedule.kind](train.schedule, train.lr * factor, steps)
    if train.schedule.warm_up:
        rate = nn.schedules.WarmUp(train.schedule.warm_up, rate)
    numbers = dataclasses.asdict(train.optimizer)
    make = _OPTIMIZERS[numbers.pop("kind")]
    if numbers.get("momentum") == 0:  # no momentum needs no memory for it
        numbers["momentum"] = None
    clips = []
    if train.clip_value is not None:
        clips.append(nn.clip_by_value(train.clip_value))
    if train.clip_norm is not None:
        clips.append(nn.clip_by_global_norm(train.clip_norm))
    whole = nn.chain(*clips, make(rate, **numbers)) if clips else make(rate, **numbers)
    return whole if train.average is None else nn.Averaged(whole, train.average)


def penalty(train: Train) -> Any:
    """The penalty of the config; None if it has none, so that nothing is computed for it."""
    return nn.elastic(train.l1, train.l2) if train.l1 or train.l2 else None


def targets(experiment: Experiment, net: nn.Layer, data: Dataset) -> Callable[[Any], Any]:
    """What turns the targets of a part into the form the loss takes: labels, one-hot rows, numbers.

    Raises ConfigError where network, loss and data do not fit together, naming the key.
    """
    kind, outputs = experiment.model.loss.kind, len(data.classes) or data.y.shape[-1]
    if kind == "softmax_cross_entropy" and not data.classes:
        raise ConfigError(
            f"model.loss: {kind} needs classes, and {data.name} has numbers to predict; "
            "use half_square"
        )
    shape = output_shape(net, data)
    if kind == "sigmoid_cross_entropy" and outputs == 2 and shape == (1,):
        return lambda y: None if y is None else y[:, None]
    if shape != (outputs,):
        what = "one for each class" if data.classes else "one for each target"
        raise ConfigError(
            f"model.layers: expected {outputs} outputs for each example of {data.name}, {what}, "
            f"got {shape}; end with a dense layer of {outputs} units, and flatten images first"
        )
    if not data.classes or kind == "softmax_cross_entropy":
        return lambda y: y
    rows = np.eye(outputs, dtype=np.float32)
    return lambda y: None if y is None else rows[y]


def output_shape(net: nn.Layer, data: Dataset) -> tuple[int, ...]:
    """The shape of the outputs for one example; nothing is computed."""
    return outputs_like(net, data.x[:2]).shape[1:]
