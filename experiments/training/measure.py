"""What is recorded of an epoch."""

from typing import Any

import jaxnn as nn
from experiments.config import Experiment
from experiments.training.events import check_events
from experiments.training.frozen import frozen
from experiments.training.histograms import histograms
from experiments.training.loop import Epoch
from experiments.training.scores import angles, check_metrics, scores
from experiments.training.task import Task
from experiments.training.watch import watch


def ready(experiment: Experiment, task: Task) -> None:
    """Raise ConfigError, before training starts, for what could not be recorded."""
    check_metrics(experiment, task)
    check_events(experiment)


def measure(experiment: Experiment, task: Task, epoch: Epoch) -> tuple[dict[str, Any], Any]:
    """(metrics, histograms) of an epoch; the histograms are None where they are not asked for."""
    train = experiment.train
    net, params = frozen(experiment, task.net, epoch.state)
    found = {
        "epoch": epoch.number,
        "objective": epoch.objective,
        **scores(task._replace(net=net), params, _parts(experiment, task, epoch), train.metrics),
    }
    reported = nn.optim.reported(task.optimizer, epoch.state.optimizer)
    found |= {name: float(value) for name, value in reported.items()}
    if train.watch:
        found |= watch(experiment, task, epoch, net, params, epoch.rate)
    if train.alignment:
        found |= angles(task, epoch.state.params)
    return found, histograms(task, net, params) if train.histograms else None


def _parts(experiment: Experiment, task: Task, epoch: Epoch) -> tuple[str, ...]:
    # an epoch of a few examples is short: looking at all of them would take longer
    train = experiment.train
    whole = train.sample is None or epoch.number == train.epochs
    held = () if task.validation is None else ("validation",)
    return (*(("train",) if whole else ()), *held, "test")
