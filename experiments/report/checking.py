"""`python -m experiments check CONFIG`: are the gradients that would train this network right?

The network, loss and penalty of a config are checked on the first mini-batch of its data. The
folder gets config.toml, environment.json, report.txt, report.json and gradients.png, a picture of
where in the parameters gradients differ from those of autodiff.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.common import runs
from experiments.common.failures import ConfigError
from experiments.config import Experiment
from experiments.config.toml import to_toml
from experiments.data import read
from experiments.report import gradient_map
from experiments.training.task import Task, prepare
from jaxnn.check import Report, check_backprop, check_grad
from jaxnn.check.numeric.arrays import exact, named, perturbed
from jaxnn.sweep.backpropagation import sweep
from jaxnn.sweep.records import Batch, Objective
from jaxnn.sweep.weighing import objective

PERTURB = 0.1  # so that no bias is 0 and no scale is 1, as training has them soon enough


class Setting(NamedTuple):
    """Where the gradients are taken: the parameters that training starts from, and a mini-batch."""

    task: Task
    params: Any
    x: Any
    y: Any
    key: Any


def run(experiment: Experiment, folder: Path, level: str) -> bool:
    """Check, print the report, fill the folder, and return whether all gradients are right.

    Raises DataError for data that cannot be had, and ConfigError for a network or loss that does
    not fit them or that is not trained by gradients.
    """
    started = time.perf_counter()
    setting = first_batch(experiment)
    reports = check(setting, level)
    text = "\n\n".join(map(str, reports.values()))
    print(text)
    (folder / "config.toml").write_text(to_toml(experiment))
    (folder / "report.txt").write_text(text + "\n")
    runs.write_json(folder / "environment.json", runs.environment())
    found = {name: report.to_dict() for name, report in reports.items()}
    runs.write_json(folder / "report.json", found)
    if (report := reports["backpropagation"]).leaves:  # else it gave no gradients to look at
        picture(setting, report, experiment.name, folder / "gradients.png")
    print(f"{folder}  ({time.perf_counter() - started:.1f} s)")
    return all(report.ok for report in reports.values())


def first_batch(experiment: Experiment) -> Setting:
    """The task of the config with its first parameters and its first mini-batch."""
    if experiment.model.backward != "backprop":
        raise ConfigError(
            f"model.backward: {experiment.model.backward} does not compute the gradient, so it "
            "cannot be checked against it; to check the network add --model.backward backprop"
        )
    # A rule is judged where rounding cannot hide a mistake, whatever products are rounded to.
    exact = dataclasses.replace(experiment.train, precision="float32")
    experiment = dataclasses.replace(experiment, train=exact)
    data = read(experiment.data, experiment.seed)
    task, key = prepare(experiment, data), jax.random.key(experiment.seed)
    order = np.random.default_rng([experiment.seed, 1]).permutation(len(task.train.x))
    rows = order[: experiment.train.batch_size]
    x, y = task.train.x[rows], task.train.y[rows]
    params = jax.jit(lambda key: task.net.init(key, x))(key)
    return Setting(task, params, x, y, jax.random.fold_in(key, 1))


def check(setting: Setting, level: str) -> dict[str, Report]:
    """The report on the backpropagation and, if there is one, on the penalty's gradient."""
    task, params, x, y, key = setting
    options = {"level": level, "perturb": PERTURB}
    found = {
        "backpropagation": check_backprop(task.net, task.loss, params, x, y, key=key, **options)
    }
    if (penalty := task.penalty) is not None:

        def value(params: Any) -> Any:
            return penalty(params)[0]

        def penalty_gradient(params: Any) -> Any:
            return penalty(params)[1]

        found["penalty"] = check_grad(value, penalty_gradient, params, **options)
    return found


def picture(setting: Setting, report: Report, name: str, path: Path) -> None:
    """Draw, for the first draw of the report, the errors in float64 beside what it allows."""
    ours, reference = (named(tree, "params") for tree in gradients(setting))
    leaves = [leaf for leaf in report.leaves if leaf.dtype == "float64" and not leaf.vanishes]
    allowed = max((leaf.resolution for leaf in leaves), default=1e-12)
    title = f"{name}: gradients beside those of autodiff, in float64: {report.verdict}"
    gradient_map.draw(path, title, ours, reference, allowed)


def gradients(setting: Setting) -> tuple[Any, Any]:
    """(ours, by autodiff) in float64, at parameters moved a little as in the first draw."""
    task, params, x, y, key = setting
    moved = perturbed(exact(params), PERTURB, np.random.default_rng([0, 0]))

    def value(params: Any, x: Any) -> Any:
        return objective(task.loss, task.net.forward(params, x, key)[0], y)[0]

    def both(params: Any, x: Any) -> tuple[Any, Any]:
        found = sweep(Objective(task.net, task.loss), params, Batch(x, y, key=key), nn.gradient)[1]
        return found, jax.grad(value)(params, x)

    with jax.enable_x64(True):
        return jax.device_get(jax.jit(both)(*jax.tree.map(jnp.asarray, (moved, exact(x)))))
