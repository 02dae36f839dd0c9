"""What the layers look like while they learn: gradients, updates, dead and saturated units.

    gradient_norm 2/w   |dC/dw| on the first mini-batch of the training part, before any clipping
    update_ratio 2/w    |update| / |w|: what the optimizer would now make of that gradient
    dead 3              share of the units of a relu that are 0 for all of the first examples
    saturated 3         share of the outputs of a sigmoid or tanh within 0.02 of one of its limits

Gradients are those of the network in training, penalty included; units are looked at in the network
as it is tested. Sources: Karpathy 2015, notes to CS231n (the ratio; about 1e-3 at a good rate);
Glorot and Bengio 2010 (saturation).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path

import jaxnn as nn
from experiments.config import Experiment
from experiments.training import build
from experiments.training.loop import Epoch, run_key
from experiments.training.notes import name_of, outputs_of
from experiments.training.task import Task
from jaxnn.core.notes import seen
from jaxnn.core.walk import paths_of
from jaxnn.core.watch import watched
from jaxnn.fast import draws
from jaxnn.sweep.records import Batch, Objective
from jaxnn.training.steps import Plan, found_by

EXAMPLES = 1000  # that units are looked at with
NEAR = 0.02
_LIMITS = {type(nn.sigmoid): (0.0, 1.0), type(nn.tanh): (-1.0, 1.0)}


def watch(
    experiment: Experiment,
    task: Task,
    epoch: Epoch,
    net: nn.Layer,
    params: Any,
    rate: float = 1.0,
) -> dict[str, float]:
    """What `train.watch` asks for, by name. net and params are those of the test; `rate` is what
    the learning rate was multiplied by in the epoch."""
    train = experiment.train
    if rate != 1.0:
        task = task._replace(optimizer=build.optimizer(train, len(task.train.x), rate))
    key = draws.fold_in(run_key(experiment), epoch.number)
    found = _look(task, epoch.state, key, net, params, asked=train.watch, n=train.batch_size)
    return {name: float(value) for name, value in jax.device_get(found).items()}


@partial(jax.jit, static_argnames=("asked", "n"))
def _look(
    task: Task,
    state: nn.State,
    key: Any,
    net: nn.Layer,
    params: Any,
    *,
    asked: tuple[str, ...],
    n: int,
) -> dict[str, Any]:
    """What is asked for, under the names of the metrics."""
    found = {}
    x, y, weights = (None if a is None else a[:n] for a in task.train)
    batch = Batch(x, y, weights, key)
    if "gradients" in asked:
        grads = _found(task, nn.SGD(1.0), state, batch)
        found |= {f"gradient_norm {path}": _norm(g) for path, g in _trained(grads)}
    if "updates" in asked:
        read = _found(task, task.optimizer, state, batch)
        updates, _ = task.optimizer.update(read, state.optimizer, state.params)
        pairs = zip(_matrices(updates), _matrices(state.params), strict=True)
        found |= {f"update_ratio {path}": _norm(u) / _norm(w) for (path, u), (_, w) in pairs}
    return found | _units(task, net, params) if "units" in asked else found


def _found(task: Task, optimizer: Any, state: nn.State, batch: Batch) -> Any:
    """What an optimizer reads of a mini-batch."""
    objective = Objective(task.net, task.loss, task.penalty)
    return found_by(Plan(objective, optimizer, None), state, batch)[1]


def _trained(tree: Any, chosen: Any = nn.core.everything) -> list[tuple[str, Any]]:
    """The leaves with their names, without weights of a backward rule that stay as they are."""
    leaves, _ = tree_flatten_with_path(tree)
    return [
        (keystr(path, simple=True, separator="/"), leaf)
        for path, leaf in leaves
        if nn.core.everything(path) and chosen(path)
    ]


def _matrices(tree: Any) -> list[tuple[str, Any]]:
    """Those of them that are weights, by name: in a `Repeat` biases have two axes as well."""
    return [(name, leaf) for name, leaf in _trained(tree, nn.core.weights) if leaf.ndim > 1]


def _norm(a: Any) -> Any:
    return jnp.linalg.norm(a.reshape(-1))


def _units(task: Task, net: nn.Layer, params: Any) -> dict[str, Any]:
    relus = paths_of(net, type(nn.relu))
    limits = {path: low_high for kind, low_high in _LIMITS.items() for path in paths_of(net, kind)}
    net = watched(net, outputs_of, paths={*relus, *limits})
    _, residuals = net.forward(params, task.train.x[:EXAMPLES])
    found = {}
    for note in seen(net.observe(residuals)):
        for place, y in note.each():
            if note.path in limits:
                low, high = limits[note.path]
                near = (y < low + NEAR) | (y > high - NEAR)
                found[f"saturated {name_of(note, place)}"] = near.mean(dtype=jnp.float32)
            else:
                dead = (y == 0).reshape(-1, y.shape[-1]).all(0)
                found[f"dead {name_of(note, place)}"] = dead.mean(dtype=jnp.float32)
    return found
