"""The network of a run as it is tested and kept: averaged if asked for, frozen for inference."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Experiment
from experiments.config.toml import to_toml
from experiments.data.description import Description
from experiments.training import build, checkpoint
from experiments.training.checkpoint import Checkpoint
from experiments.training.loop import run_key


def frozen(experiment: Experiment, net: nn.Layer, state: nn.State) -> tuple[nn.Layer, Any]:
    """(network, params) without dropout, and with the averages of batch-norm in place."""
    averaged = experiment.train.average is not None
    params = nn.averaged(state) if averaged else state.params
    return nn.freeze(net, params, state.statistics)


def stored_network(
    folder: Path, experiment: Experiment, description: Description, best: bool = False
) -> tuple[nn.Layer, Any]:
    """(network, params) of a run folder, without its data.

    They are those of the end of the run; with `best`, of its best epoch; of a run that has not
    ended, of its last checkpoint. Raises ConfigError where no such file is there, or it is not one
    of this run.
    """
    net = build.network(experiment, description["pixel_max"])
    like = jax.eval_shape(lambda: _start(experiment, net, description))
    finished = folder / "parameters.safetensors"
    try:
        if finished.exists() and not best:
            net, shapes = jax.eval_shape(lambda state: frozen(experiment, net, state), like)
            return net, nn.load(finished, shapes)
        path = folder / ("best.safetensors" if best else "checkpoint.safetensors")
        belongs = {"config": to_toml(experiment), "data": description["fingerprint"]}
        found = checkpoint.load(path, Checkpoint(like, 0, run_key(experiment)), belongs)
    except FileNotFoundError:
        raise ConfigError(f"{folder}: no epoch of this run was saved yet") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return frozen(experiment, net, found.state)


def _start(experiment: Experiment, net: nn.Layer, description: Description) -> nn.State:
    given = description["input"]
    x = jax.ShapeDtypeStruct((2, *given["shape"]), np.dtype(given["dtype"]))
    return nn.start(net, build.optimizer(experiment.train, 1), run_key(experiment), x)
