"""Where a training came to nan or infinity: in which iteration, layer and direction.

The epoch is trained again one mini-batch at a time, in the same order and with the same keys, up to
the first after which the objective or a parameter is not finite. All that is done to that one is
then looked at in turn: what first makes a nan or infinity out of finite numbers is at fault.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.config import Experiment, Train
from experiments.training import build
from experiments.training.loop import one_epoch, order, run_key
from experiments.training.notes import in_order, name_of, short
from experiments.training.task import Task
from jaxnn.core import Pytree, static
from jaxnn.core.notes import Seen, seen
from jaxnn.core.watch import watched, without_notes
from jaxnn.fast import draws
from jaxnn.optim.asking import asked, with_penalty
from jaxnn.saving import named
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective


def finite(params: Any) -> bool:
    """Whether every number in a tree is finite; without a program to compile, for every epoch."""
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.device_get(params)))


def find(
    experiment: Experiment,
    task: Task,
    state: nn.State,
    after: int,
    number: int,
    rates: Sequence[float] = (),
) -> str:
    """Train again from `state`, that after epoch `after`, through epoch `number`, and say where.

    `rates` are what the learning rate is multiplied by in each of these epochs; unset, 1.
    """
    rates = rates or [1.0] * (number - after)
    for epoch, rate in zip(range(after + 1, number), rates, strict=False):
        state = one_epoch(experiment, task, state, epoch, rate).state
    train, part = experiment.train, task.train
    if rates[-1] != 1.0:
        task = task._replace(optimizer=build.optimizer(train, len(part.x), rates[-1]))
    for i, batch in enumerate(_batches(experiment, task, number)):
        reached, value = _step(experiment, task, state, batch)
        if not (math.isfinite(value) and finite(reached.params)):
            first = number == 1 and i == 0
            where = _in_data(batch) or _in_step(task, state, batch, train, first)
            return f"iteration {i + 1}, {where}"
        state = reached
    return "it came to nan or infinity, but does not where each iteration is a program of its own"


class _Batch(NamedTuple):
    rows: np.ndarray
    x: Any
    y: Any
    key: Any
    weights: Any


def _batches(experiment: Experiment, task: Task, number: int) -> Iterator[_Batch]:
    """The mini-batches of an epoch, as `jaxnn.train_epoch` takes them."""
    part, size = task.train, experiment.train.batch_size
    rows = order(experiment, number, len(part.x))
    keys = jax.random.split(draws.fold_in(run_key(experiment), number), len(rows) // size + 1)
    x, y, weights = (None if a is None else np.asarray(a) for a in part)
    for i, start in enumerate(range(0, len(rows), size)):
        some = rows[start : start + size]
        w = None if weights is None else weights[some]
        yield _Batch(some, x[some], y[some], keys[i], w)  # pyright: ignore


def _step(experiment: Experiment, task: Task, state: nn.State, batch: _Batch) -> tuple[Any, Any]:
    return nn.train_step(
        task.net,
        task.loss,
        task.optimizer,
        state,
        batch.x,
        batch.y,
        batch.key,
        options=nn.Options(
            weights=batch.weights,
            penalty=task.penalty,
            micro_batches=experiment.train.micro_batches,
        ),
    )


def _in_data(batch: _Batch) -> str | None:
    """Which example of the training part has inputs or targets that are not finite."""
    for name, values in (("inputs", batch.x), ("targets", batch.y)):
        sizes = np.abs(values.reshape(len(values), -1)).max(1)
        if (bad := ~np.isfinite(sizes)).any():
            i = int(bad.argmax())
            return f"data: the {name} of example {batch.rows[i]} hold {_kind(sizes[i])}"
    return None


def _in_step(task: Task, state: nn.State, batch: _Batch, train: Train, first: bool) -> str:
    for one in jax.device_get(_all_steps(task, state, batch)):
        if told := _told(one):
            late = one.what in ("optimizer", "update")
            return f"{told}\n{_advice(train, first and not late)}"
    return f"where nothing but the whole of it comes to nan or infinity\n{_advice(train, first)}"


def _told(one: "_Passed") -> str | None:
    """What is not finite about a step; None if nothing is."""
    for name, size in one.came.items():
        if not np.isfinite(size):
            return f"{one.what} got {name} with {_kind(size)}"
    for name, size in one.gave.items():
        if not np.isfinite(size):
            came = " and ".join(f"{n} (up to {s:.2g})" for n, s in one.came.items() if s)
            return f"{one.what} gave {name} with {_kind(size)} for finite {came}"
    return None


def _advice(train: Train, first: bool) -> str:
    if first:
        return "nothing was learned yet: try smaller initial weights, or inputs on another scale"
    clip = "" if train.clip_norm else ", or train.clip_norm = 1"
    return f"try a lower train.lr (it is {train.lr:g}){clip}"


def _kind(number: Any) -> str:
    return "nan" if np.isnan(number) else "infinity"


class _Passed(Pytree):
    """One thing that is done: what it is, and the largest number in all that came and it gave."""

    what: str = static()
    came: dict[str, Any]
    gave: dict[str, Any]


def _forward(params: Any, x: Any, key: Any, y: Any, residuals: Any) -> _Passed:
    """A note of a layer's forward."""
    del key, residuals
    came = {"inputs": _largest(x), "parameters": _largest(params)}
    return _Passed("forward", came, {"outputs": _largest(y)})


def _backward(residuals: Any, dy: Any, dx: Any, readings: Any) -> _Passed:
    """A note of a layer's backward."""
    gave = {"errors": _largest(dx)}
    gave |= {f"a gradient of {name}": _largest(leaf) for name, leaf in named(readings).items()}
    return _Passed("backward", {"errors": _largest(dy), "residuals": _largest(residuals)}, gave)


def _steps(net: nn.Layer, notes: list[Seen]) -> list[_Passed]:
    """What the layers did, one after the other."""
    found = []
    for note, place in in_order(net, notes):
        step = note.at(place)
        what = f"{step.what}: layer {name_of(note, place)} {note.layer!r}"
        gave = {_located(name, note): size for name, size in step.gave.items()}
        found.append(_Passed(what, step.came, gave))
    return found


def _located(name: str, note: Seen) -> str:
    return name.replace("a gradient of ", f"a gradient of {short(note.path)}/")


@jax.jit
def _all_steps(task: Task, state: nn.State, batch: _Batch) -> list[_Passed]:
    """Everything that an iteration does, in order."""
    net, params = watched(task.net, _forward, _backward), state.params
    _, x, y, key, weights = batch
    reading = asked(task.optimizer, state.optimizer)
    given = Objective(net, task.loss), params, Batch(x, y, weights, key), reading
    value, noted, observed = sweep(*given)
    forward, read = _steps(task.net, seen(observed)), without_notes(noted)
    backward = _steps(task.net, seen(noted))[::-1]
    given = {"outputs": forward[-1].gave["outputs"]}
    gave = {"an objective": _largest(value), "errors": backward[0].came["errors"]}
    steps = [*forward, _Passed(f"loss: {task.loss!r}", given, gave), *backward]
    if task.penalty is not None:
        extra, more = task.penalty(params)
        gave = {"an objective": _largest(extra), "gradients": _largest(more)}
        steps.append(_Passed("penalty", {"parameters": _largest(params)}, gave))
        read = with_penalty(reading, read, more)
    updates, _ = task.optimizer.update(read, state.optimizer, params)
    given = {"gradients": _largest(read), "sums kept": _largest(state.optimizer)}
    gave = {f"an update of {name}": _largest(leaf) for name, leaf in named(updates).items()}
    steps.append(_Passed("optimizer", given, gave))
    given = {"updates": _largest(updates), "parameters": _largest(params)}
    moved = named(jax.tree.map(jnp.add, params, updates))
    gave = {f"a parameter {name}": _largest(leaf) for name, leaf in moved.items()}
    return [*steps, _Passed("update", given, gave)]


def _largest(tree: Any) -> Any:
    """The largest absolute value of all numbers; nan if one is nan."""
    numbers = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.number)]
    sizes = [jnp.abs(leaf).max(initial=0).astype(float) for leaf in numbers]
    return jnp.stack(sizes).max() if sizes else jnp.zeros(())
