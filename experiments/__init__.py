"""The application: `python -m experiments`, and `run` for experiments written in Python."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.config import Experiment
    from experiments.training.stored import Stored


def run(experiment: "Experiment", out: str | Path = "runs") -> "Stored":
    """Train an experiment in a new numbered folder under `out`, and return the run; prints nothing.

    Raises ConfigError, a line for every problem, for values that a config file could not have.
    """
    from experiments.common.runs import new_folder
    from experiments.config.file import check
    from experiments.training.run import run as train
    from experiments.training.stored import open_run

    experiment = check(dataclasses.asdict(experiment), "experiment")
    folder = new_folder(Path(out), experiment.name)
    train(experiment, folder, how="silent")
    return open_run(folder)
