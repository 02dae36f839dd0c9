"""From a config to the values of jaxnn: each table knows the class or value it was made from."""

import dataclasses
import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Activation, Experiment, Model, Train
from experiments.config.types import Section
from experiments.data import Dataset
from jaxnn.core.layer import outputs_like


def made(spec: Any, **given: Any) -> Any:
    """The value of the library that a table stands for; `given` is what no key of it says."""
    target = target_of(spec)
    arguments = {field: _inside(getattr(spec, key)) for field, key in spec.passed.items()} | given
    return target(**arguments) if isinstance(target, type) else target.replace(**arguments)


def target_of(spec: Any) -> Any:
    """The class or value of the library that a table was made from."""
    module, name = spec.source
    return getattr(import_module(module), name)


def _inside(value: Any) -> Any:
    """An argument: tables in it are made too, and those of layers with what stands behind them."""
    if isinstance(value, tuple):
        return tuple(map(_inside, value))
    if not isinstance(value, Section):
        return value
    layers = _layers(value)
    return layers[0] if len(layers) == 1 else nn.serial(*layers)


def _layers(spec: Any) -> list[Any]:
    """What a table makes: for a dense layer with an activation the two of them."""
    if isinstance(spec, Activation):
        given = [value for value in (spec.parameter, spec.form) if value is not None]
        layer = getattr(nn, spec.name)
        return [layer(*given) if given else layer]
    after = getattr(spec, "activation", "linear")
    return [made(spec)] if after == "linear" else [made(spec), getattr(nn, after)]


def network(experiment: Experiment, pixel_max: int | None) -> nn.Layer:
    """The layers of the config; in front of them, for images, the one that reads bytes."""
    model = experiment.model
    layers: list[nn.Layer] = [nn.Pixels(float(pixel_max))] if pixel_max else []
    for spec in model.layers:
        layers += _layers(spec)
    net = nn.serial(*layers)
    if model.backward != "backprop":
        rule = model.backward.title().replace("_", "")
        net = nn.feedback.with_rule(net, getattr(nn.feedback, rule)())
    precision = experiment.train.precision
    return net if precision == "float32" else nn.MixedPrecision(net, precision)


def loss(model: Model) -> nn.Loss:
    """The loss of the config."""
    return made(model.loss)


def optimizer(train: Train, examples: int, factor: float = 1.0) -> Any:
    """The optimizer of the config, with its schedule times `factor` and behind its clipping."""
    steps = train.epochs * math.ceil(min(train.sample or examples, examples) / train.batch_size)
    rate = _rate(train.schedule, train.lr * factor, steps)
    spec = getattr(train.optimizer, "optimizer", train.optimizer)
    # no momentum needs no memory for it
    nothing = {"momentum": None} if getattr(spec, "momentum", None) == 0 else {}
    whole = made(spec, learning_rate=rate, **nothing)
    clips = []
    if train.clip_value is not None:
        clips.append(nn.clip_by_value(train.clip_value))
    if train.clip_norm is not None:
        clips.append(nn.clip_by_global_norm(train.clip_norm))
    if clips:
        whole = nn.chain(*clips, whole)
    if spec is not train.optimizer:
        whole = made(train.optimizer, optimizer=whole)
    if train.clip_examples is not None:
        whole = nn.chain(nn.clip_examples(train.clip_examples, train.noise), whole)
    if train.noise_scale:
        whole = nn.chain(nn.track_noise_scale(), whole)
    if train.average is not None:
        whole = nn.Averaged(whole, train.average)
    return nn.LossScaled(whole) if train.precision == "float16" else whole


def _rate(spec: Any, lr: float, steps: int) -> Any:
    if spec.kind in ("constant", "plateau"):  # a plateau comes down between epochs, see history
        rate = lr
    else:
        told = {"steps": steps, "final": getattr(spec, "final", 0) * lr}
        has = {field.name for field in dataclasses.fields(target_of(spec))}
        rate = made(spec, rate=lr, **{name: told[name] for name in told if name in has})
    return nn.schedules.WarmUp(spec.warm_up, rate) if spec.warm_up else rate


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
