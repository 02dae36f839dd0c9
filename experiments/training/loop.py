"""Training, epoch by epoch. Every random choice of an epoch follows from its number and the seed,
so that a training can be taken up again after any of them."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
import jaxnn.fast.draws as draws
from experiments.config import Experiment
from experiments.training import build
from experiments.training.task import Task


class Epoch(NamedTuple):
    """What an epoch left: the state, the mean objective on the way, its seconds, and what the
    learning rate was multiplied by."""

    number: int
    state: nn.State
    objective: float
    seconds: float
    rate: float = 1.0


def run_key(experiment: Experiment) -> Any:
    """The key that the parameters and every random layer of a run draw from."""
    return jax.random.key(experiment.seed)


def start(experiment: Experiment, task: Task) -> nn.State:
    """The state before the first epoch."""
    return nn.start(task.net, task.optimizer, run_key(experiment), task.train.x)


def order(experiment: Experiment, number: int, n: int) -> np.ndarray:
    """The rows that epoch `number` goes through, in its order."""
    rows = np.random.default_rng([experiment.seed, number]).permutation(n)
    return rows[: experiment.train.sample]


def one_epoch(
    experiment: Experiment, task: Task, state: nn.State, number: int, rate: float = 1.0
) -> Epoch:
    """Epoch `number`, with the learning rate times `rate`. The old state is gone afterwards."""
    started = time.perf_counter()
    train, part = experiment.train, task.train
    optimizer = task.optimizer
    if rate != 1.0:  # its numbers are leaves: the program stays the same
        optimizer = build.optimizer(train, len(part.x), rate)
    state, objective = nn.train_epoch(
        task.net,
        task.loss,
        optimizer,
        state,
        part.x,
        part.y,
        order(experiment, number, len(part.x)),
        draws.fold_in(run_key(experiment), number),
        batch_size=train.batch_size,
        options=nn.Options(
            weights=part.weights, penalty=task.penalty, micro_batches=train.micro_batches
        ),
    )
    objective = float(objective)  # waits for the epoch to end, so that its time is whole
    return Epoch(number, state, objective, time.perf_counter() - started, rate)


def epochs(experiment: Experiment, task: Task) -> Iterator[Epoch]:
    """All epochs from the start, without a record. The state of one is gone with the next."""
    state = start(experiment, task)
    for number in range(1, experiment.train.epochs + 1):
        epoch = one_epoch(experiment, task, state, number)
        state = epoch.state
        yield epoch
