"""The network of a config, trained by our backward pass and by `jax.grad`, in one process.

    python -m experiments.bench.beside_autodiff mnist

Three programs train from the same start on the same mini-batches: ours, `jax.grad` of the same
forward with the usual cross-entropy (one-hot rows times log-softmax), and `jax.grad` with the
leanest one we know (log-sum-exp minus the logit of the label). Each epoch is one `lax.scan` with
donated state. They take turns, in an order that rotates, after a warm-up epoch that is not timed.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Experiment
from experiments.config.file import load as load_config
from experiments.data import DataError, read
from experiments.training.scores import scores
from experiments.training.task import Task, prepare


def by_one_hot(z: Any, y: Any) -> Any:
    """The cross-entropy of a batch as it is usually written."""
    return -(jax.nn.one_hot(y, z.shape[-1], dtype=z.dtype) * jax.nn.log_softmax(z)).sum(-1).mean()


def by_logsumexp(z: Any, y: Any) -> Any:
    """The same without one-hot rows and without an array of log-probabilities."""
    at_label = jnp.take_along_axis(z, y[:, None].astype(jnp.int32), -1)[:, 0]
    return (jax.nn.logsumexp(z, axis=-1) - at_label).mean()


def epoch_by_autodiff(task: Task, cross_entropy: Any, batch_size: int) -> Callable[..., Any]:
    """An epoch like `jaxnn.train_epoch`, with `jax.value_and_grad` in it."""

    def objective(params: Any, x: Any, y: Any) -> Any:
        return cross_entropy(task.net.forward(params, x)[0], y)

    @partial(jax.jit, donate_argnums=0)
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        def step(state: Any, rows: Any) -> Any:
            value, grads = jax.value_and_grad(objective)(state.params, x[rows], y[rows])
            updates, slots = task.optimizer.update(grads, state.optimizer, state.params)
            params = nn.optim.apply_updates(state.params, updates)
            return state._replace(params=params, optimizer=slots), value

        return jax.lax.scan(step, state, order.reshape(-1, batch_size))

    return epoch


def epoch_by_hand(task: Task, batch_size: int) -> Callable[..., Any]:
    """`jaxnn.train_epoch` with the arguments of the above."""
    return lambda state, x, y, order: nn.train_epoch(
        task.net, task.loss, task.optimizer, state, x, y, order, batch_size=batch_size
    )


def compare(experiment: Experiment) -> tuple[dict[str, list[float]], dict[str, float]]:
    """({program: seconds of each epoch}, {program: test accuracy after the last})."""
    data = read(experiment.data, experiment.seed)
    task, size = prepare(experiment, data), experiment.train.batch_size
    if experiment.model.loss.kind != "softmax_cross_entropy" or task.loss != task.loss.replace(
        smoothing=0.0
    ):
        raise ConfigError("model.loss: expected softmax_cross_entropy without smoothing to compare")
    programs = {
        "by hand": epoch_by_hand(task, size),
        "jax.grad, one-hot": epoch_by_autodiff(task, by_one_hot, size),
        "jax.grad, logsumexp": epoch_by_autodiff(task, by_logsumexp, size),
    }
    key = jax.random.key(experiment.seed)
    start = jax.jit(lambda: nn.start(task.net, task.optimizer, key, task.train.x[:1]))
    for epoch in programs.values():  # compile, and let the data settle
        jax.block_until_ready(
            epoch(start(), task.train.x, task.train.y, _order(experiment, task, 0))
        )
    states = {name: start() for name in programs}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(1, experiment.train.epochs + 1):
        for name in _rotated(list(programs), number):
            order = _order(experiment, task, number)
            began = time.perf_counter()
            states[name], _ = jax.block_until_ready(
                programs[name](states[name], task.train.x, task.train.y, order)
            )
            seconds[name].append(time.perf_counter() - began)
    accuracy = {name: scores(task, s.params)["test_accuracy"] for name, s in states.items()}
    return seconds, accuracy


def _order(experiment: Experiment, task: Task, epoch: int) -> np.ndarray:
    n, size = len(task.train.x), experiment.train.batch_size
    order = np.random.default_rng([experiment.seed, epoch]).permutation(n)
    return order[: n // size * size]


def _rotated(names: list[str], by: int) -> list[str]:
    return names[by % len(names) :] + names[: by % len(names)]


def main(words: Sequence[str]) -> int:
    """Print the comparison for a config and overrides; 2 if they are wrong, 1 without the data."""
    try:
        seconds, accuracy = compare(load_config(words[0] if words else "mnist", list(words[1:])))
    except (ConfigError, DataError) as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    base = min(seconds["jax.grad, one-hot"])
    table = Table(
        "program", "test accuracy", "s per epoch, min", "median", "time, jax.grad = 1", box=None
    )
    for name, times in seconds.items():
        fastest, middle = min(times), statistics.median(times)
        table.add_row(
            name,
            f"{accuracy[name]:.2%}",
            f"{fastest:.2f}",
            f"{middle:.2f}",
            f"{fastest / base:.2f}",
        )
    Console(width=100).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
