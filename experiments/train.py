"""One run: train the network of a config, record every epoch, and say how well it did."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import jaxnn as nn
from experiments import build
from experiments.config import Experiment
from experiments.config_problems import ConfigError
from experiments.config_toml import to_toml
from experiments.data import Dataset, load
from experiments.runs import Metrics, environment, save_parameters, write_json
from jaxnn.feedback_networks import alignment


class Part(NamedTuple):
    """Training or test examples, on the device: inputs and targets."""

    x: Any
    y: Any


class Task(NamedTuple):
    """What a config stands for."""

    net: nn.Layer
    loss: nn.Loss
    optimizer: Any
    penalty: Any
    train: Part
    test: Part


def prepare(experiment: Experiment, data: Dataset) -> Task:
    """The task of a config on its data. Raises ConfigError where the two do not fit."""
    try:
        net = build.network(experiment.model, data)
        y, y_test = build.targets(experiment, net, data)
    except (TypeError, ValueError) as error:  # a layer that refuses its input
        raise ConfigError(f"model.layers: {error}") from error
    return Task(
        net,
        build.loss(experiment.model),
        build.optimizer(experiment.train, len(data.x)),
        build.penalty(experiment.train),
        Part(jnp.asarray(data.x), jnp.asarray(y)),
        Part(jnp.asarray(data.x_test), jnp.asarray(y_test)),
    )


def run(experiment: Experiment, folder: Path) -> dict[str, float]:
    """Train, fill the folder, print the result, and return the metrics of the last epoch.

    The folder gets config.toml, environment.json, metrics.jsonl (a line for each epoch) and
    parameters.safetensors (of the network frozen for inference). Raises DataError for data that
    cannot be had and ConfigError for a network or loss that does not fit them.
    """
    started = time.perf_counter()
    data = load(
        experiment.data.name, test_fraction=experiment.data.test_fraction, seed=experiment.seed
    )
    task = prepare(experiment, data)
    (folder / "config.toml").write_text(to_toml(experiment))
    write_json(folder / "environment.json", {**environment(), "seed": experiment.seed})
    console = Console(width=None if Console().is_terminal else 100)
    params, metrics = _train(experiment, task, Metrics(folder / "metrics.jsonl"), console)
    save_parameters(folder / "parameters.safetensors", params)
    console.print(_table(metrics))
    console.print(f"{folder}  ({time.perf_counter() - started:.1f} s)", highlight=False)
    return metrics


class Epoch(NamedTuple):
    """What an epoch left: the state, the mean objective on the way, and its seconds."""

    number: int
    state: nn.State
    objective: float
    seconds: float


def epochs(experiment: Experiment, task: Task) -> Iterator[Epoch]:
    """Train, epoch by epoch. The state of one is gone when the next is asked for."""
    train, n = experiment.train, len(task.train.x)
    key = jax.random.key(experiment.seed)
    init = jax.jit(lambda key, x: nn.start(task.net, task.optimizer, key, x))
    state = init(key, task.train.x[:2])
    for number in range(1, train.epochs + 1):
        started = time.perf_counter()
        order = np.random.default_rng([experiment.seed, number]).permutation(n)[: train.sample]
        state, objective = nn.train_epoch(
            task.net,
            task.loss,
            task.optimizer,
            state,
            task.train.x,
            task.train.y,
            order,
            jax.random.fold_in(key, number),
            batch_size=train.batch_size,
            penalty=task.penalty,
        )
        objective = float(objective)  # waits for the epoch to end, so that its time is whole
        yield Epoch(number, state, objective, time.perf_counter() - started)


def _train(
    experiment: Experiment, task: Task, record: Metrics, console: Console
) -> tuple[Any, dict[str, float]]:
    """(frozen parameters, metrics) after the last epoch."""
    params, metrics = None, {}
    last = experiment.train.epochs
    with _progress(console) as progress:
        bar = progress.add_task(experiment.name, total=last, note="")
        for epoch in epochs(experiment, task):
            net, params = nn.freeze(task.net, epoch.state.params, epoch.state.statistics)
            # an epoch of a few examples is short: looking at all of them would take longer
            whole = experiment.train.sample is None or epoch.number == last
            metrics = {
                "epoch": epoch.number,
                "objective": epoch.objective,
                "seconds": epoch.seconds,
                **scores(task._replace(net=net), params, ("train", "test") if whole else ("test",)),
                **(angles(task, epoch.state.params) if experiment.train.alignment else {}),
            }
            record.append(metrics)
            progress.update(bar, advance=1, note=f"test loss {metrics['test_loss']:.4f}")
    return params, metrics


def scores(task: Task, params: Any, parts: tuple[str, ...] = ("train", "test")) -> dict[str, float]:
    """Loss of the training and test part, and accuracy or, for numbers to predict, R2."""
    found = {}
    for name in parts:
        part: Part = getattr(task, name)
        metric = _metric(part.y, task.loss)
        got = nn.evaluate(
            task.net, task.loss, params, part.x, part.y, metrics=(metric,), batch_size=4096
        )
        found[f"{name}_loss"] = float(got["loss"])
        if metric is _squared_error:
            spread = float(part.y.var(0).sum())
            found[f"{name}_r2"] = 1 - float(got["_squared_error"]) / spread
        else:
            found[f"{name}_accuracy"] = float(got[metric.__name__])
    return found


def angles(task: Task, params: Any, examples: int = 1000) -> dict[str, float]:
    """`jaxnn.alignment` on the first training examples, by weight and by what is compared."""
    part, key = task.train, jax.random.key(0)
    found = alignment(task.net, task.loss, params, part.x[:examples], part.y[:examples], key)
    flat = {
        f"{path} {k}": float(v) for path, row in found.items() for k, v in row._asdict().items()
    }
    return {name: value for name, value in flat.items() if math.isfinite(value)}


def _metric(y: Any, loss: nn.Loss) -> Any:
    if y.ndim > 1 and y.shape[-1] == 1:
        return _sign if loss == nn.sigmoid_cross_entropy else _squared_error
    return nn.accuracy


def _sign(outputs: Any, y: Any) -> Any:
    """1.0 where a single logit is on the right side of 0; (batch,)."""
    return ((outputs[..., 0] > 0) == (y[..., 0] > 0)).astype(outputs.dtype)


def _squared_error(outputs: Any, y: Any) -> Any:
    return ((outputs - y) ** 2).sum(-1)


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


def _table(metrics: dict[str, float]) -> Table:
    kind = "accuracy" if "test_accuracy" in metrics else "r2"
    table = Table("", "loss", {"accuracy": "accuracy", "r2": "R2"}[kind], box=None)
    for part in ("train", "test"):
        score = metrics[f"{part}_{kind}"]
        shown = f"{score:.2%}" if kind == "accuracy" else f"{score:.4f}"
        table.add_row(part, f"{metrics[f'{part}_loss']:.4f}", shown)
    return table
