"""One run: train the network of a config, record every epoch, and say how well it did."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax

import jaxnn as nn
from experiments.common.failures import ConfigError, Failure
from experiments.common.runs import (
    Lines,
    environment,
    link_whole,
    write_json,
    write_whole,
)
from experiments.config import Experiment
from experiments.config.toml import to_toml
from experiments.data import describe, read
from experiments.training import checkpoint, history, nonfinite
from experiments.training.checkpoint import Checkpoint
from experiments.training.display import Display, Style
from experiments.training.events import Events
from experiments.training.frozen import frozen
from experiments.training.loop import Epoch, one_epoch, run_key, start
from experiments.training.measure import measure, ready
from experiments.training.signals import StopRequest
from experiments.training.task import Task, prepare
from experiments.training.warm_start import warmed


class Interrupted(Failure):
    """A run was asked to stop; the message says how to go on."""

    status = 130


class Diverged(Failure):
    """A training came to nan or infinity; the message says where, and what is left."""


class _Run(NamedTuple):
    experiment: Experiment
    task: Task
    folder: Path
    belongs: dict[str, str]  # what the checkpoints of this run say of themselves
    every: int


def run(
    experiment: Experiment, folder: Path, *, every: int = 1, how: Style = "quiet"
) -> dict[str, Any]:
    """Train, fill the folder, print the result, and return the metrics of the epoch it ends with.

    A checkpoint is written after `every` epochs. Raises DataError for data that cannot be had,
    ConfigError for a network or loss that does not fit them, Interrupted after Ctrl-C.
    """
    write_whole(folder / "config.toml", to_toml(experiment).encode())
    return _train(experiment, folder, every, how)


def resume(folder: Path, *, every: int = 1, how: Style = "quiet") -> dict[str, Any]:
    """Go on from the last checkpoint, to the same bytes as if the run had never stopped.

    Raises ConfigError for a checkpoint that does not belong to the config beside it.
    """
    from experiments.training.stored import open_run

    return _train(open_run(folder).experiment, folder, every, how)


def _train(experiment: Experiment, folder: Path, every: int, how: Style) -> dict[str, Any]:
    started = time.perf_counter()
    data = read(experiment.data, experiment.seed)
    description = describe(data)
    belongs = {"config": to_toml(experiment), "data": description["fingerprint"]}
    this = _Run(experiment, prepare(experiment, data), folder, belongs, every)
    ready(experiment, this.task)
    write_json(folder / "data.json", description)
    write_json(folder / "environment.json", {**environment(), "seed": experiment.seed})
    state, metrics = _begin(this)
    with Display(how, folder.name, len(metrics), experiment.train.epochs) as display:
        metrics = _epochs(this, state, metrics, display)
    chosen = _finish(this, metrics)
    display.end(chosen, folder, time.perf_counter() - started, _remark(this, metrics, chosen))
    return chosen


def _begin(this: _Run) -> tuple[nn.State, list[dict[str, Any]]]:
    """The state to go on from, and the metrics of the epochs before it."""
    state = warmed(this.experiment.train.warm_start, start(this.experiment, this.task))
    try:
        found = _load(this, "checkpoint", state)
    except FileNotFoundError:
        return state, _lines(this.folder, 0)
    return found.state, _lines(this.folder, found.epoch)


def _lines(folder: Path, epoch: int) -> list[dict[str, Any]]:
    """The metrics up to an epoch. Lines of later ones go, once it is sure that none is missing."""
    path = folder / "metrics.jsonl"
    there = sum(line["epoch"] <= epoch for line in Lines(path).read())
    if there != epoch:
        raise ConfigError(
            f"{path}: expected a line for each of the {epoch} epochs of the checkpoint, got "
            f"{there}; put the lines back, or start a new run"
        )
    for name in ("times", "histograms"):
        Lines(folder / f"{name}.jsonl").keep(epoch)
    return Lines(path).keep(epoch)


def _load(this: _Run, name: str, like: nn.State) -> Checkpoint:
    path = this.folder / f"{name}.safetensors"
    try:
        return checkpoint.load(path, Checkpoint(like, 0, run_key(this.experiment)), this.belongs)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _epochs(
    this: _Run, state: nn.State, metrics: list[dict[str, Any]], display: Display
) -> list[dict[str, Any]]:
    """Train until the last epoch or until patience ends, and return all metrics."""
    train, part = this.experiment.train, this.task.selection
    values = [history.watched(train, part, line) for line in metrics]
    with StopRequest() as asked, Events(this.experiment, this.folder) as events:
        for number in range(len(metrics) + 1, train.epochs + 1):
            if history.ended(values, train.patience):
                break
            rate = history.rate(values, train.schedule)
            epoch = one_epoch(this.experiment, this.task, state, number, rate)
            if not (math.isfinite(epoch.objective) and nonfinite.finite(epoch.state.params)):
                raise Diverged(_diverged(this, number, values))
            state = epoch.state
            found = _record(this, epoch, events)
            metrics, values = [*metrics, found], [*values, history.watched(train, part, found)]
            stop = asked.stop  # asked once: what is said below has to be what was saved
            _keep(this, epoch, values, stop)
            display.epoch(found, _seen(this) / epoch.seconds)
            if stop and number < train.epochs:
                raise Interrupted(
                    f"interrupted after epoch {number}, which is saved; go on with:\n"
                    f"  python -m experiments resume {this.folder}"
                )
    return metrics


def _seen(this: _Run) -> int:
    examples = len(this.task.train.x)
    return min(this.experiment.train.sample or examples, examples)


def _record(this: _Run, epoch: Epoch, events: Events) -> dict[str, Any]:
    """The metrics of an epoch, once they are in the folder."""
    found, histograms = measure(this.experiment, this.task, epoch)
    events.epoch(found, histograms)
    if histograms:
        Lines(this.folder / "histograms.jsonl").append({"epoch": epoch.number, **histograms})
    times = {"epoch": epoch.number, "seconds": epoch.seconds}
    Lines(this.folder / "times.jsonl").append(times)
    return Lines(this.folder / "metrics.jsonl").append(found, durable=True)


def _keep(this: _Run, epoch: Epoch, values: list[float], now: bool) -> None:
    """Save the state: as the best if it is, and as the last if it is due, always at the end."""
    kept = Checkpoint(epoch.state, epoch.number, run_key(this.experiment))
    train = this.experiment.train
    over = epoch.number == train.epochs or history.ended(values, train.patience)
    due = now or over or epoch.number % this.every == 0
    best, last = (this.folder / f"{name}.safetensors" for name in ("best", "checkpoint"))
    if history.best(values) == len(values) - 1:
        # Before the last: a run taken up again from here on has to find the best so far.
        checkpoint.save(best, kept, this.belongs)
        if due:
            link_whole(best, last)
    elif due:
        checkpoint.save(last, kept, this.belongs)


def _finish(this: _Run, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the parameters that the run ends with, and return the metrics they have."""
    like = jax.eval_shape(lambda: start(this.experiment, this.task))
    train, chosen, name = this.experiment.train, len(metrics) - 1, "checkpoint"
    if train.patience is not None:
        values = [history.watched(train, this.task.selection, line) for line in metrics]
        chosen, name = history.best(values), "best"
    found = _load(this, name, like)
    if found.epoch != chosen + 1:
        raise ConfigError(
            f"{this.folder}/{name}.safetensors: expected epoch {chosen + 1}, got {found.epoch}; "
            "put the file back that the run wrote, or run again"
        )
    params = frozen(this.experiment, this.task.net, found.state)[1]
    nn.save(this.folder / "parameters.safetensors", params)
    return metrics[chosen]


def _remark(this: _Run, metrics: list[dict[str, Any]], chosen: dict[str, Any]) -> str:
    if len(metrics) == this.experiment.train.epochs and chosen is metrics[-1]:
        return ""
    return f"stopped after epoch {len(metrics)}; kept epoch {chosen['epoch']}, the best"


def _diverged(this: _Run, number: int, values: list[float]) -> str:
    """Where in epoch `number` the first nan or infinity came up, and what is left of the run."""
    state, lines = _begin(this)
    after, schedule = len(lines), this.experiment.train.schedule
    rates = [history.rate(values[:epoch], schedule) for epoch in range(after, number)]
    where = nonfinite.find(this.experiment, this.task, state, after, number, rates)
    kept = f"saved: epoch {after}, in {this.folder}" if lines else "nothing was saved before"
    return f"epoch {number}: {where}\n{kept}"
