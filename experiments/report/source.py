"""Everything a page about a run is made from, as far as it can be had."""

from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from experiments.common.failures import Failure
from experiments.data import Dataset, describe, read
from experiments.training import history
from experiments.training.stored import Stored, open_run
from experiments.training.task import Task, prepare


class Network(NamedTuple):
    """A network as it was kept, and the data it was trained on."""

    net: Any
    params: Any
    data: Dataset
    task: Task


class Source(NamedTuple):
    """A run. `line` has the metrics of the epoch the page is about, `best` is the number of the
    best epoch; both None before the first epoch. Where there is no `network`, `missing` says why.
    """

    stored: Stored
    line: dict[str, Any] | None
    best: int | None
    network: Network | None
    missing: str


def source(folder: Path, best: bool) -> Source:
    """Read a run, its network of the best epoch or of the last. Raises ConfigError for a folder
    that is none."""
    stored = open_run(folder)
    lines, train = stored.metrics, stored.experiment.train
    if not lines:
        return Source(stored, None, None, None, "No epoch has been trained yet.")
    values = [history.watched(train, history.selection(lines[-1]), line) for line in lines]
    top = lines[history.best(values)]
    if best or (stored.finished and train.patience is not None):
        line = top
    else:
        line = lines[-1] if stored.finished else lines[_saved(folder, len(lines)) - 1]
    try:
        network, missing = _network(stored, best), ""
    except Failure as failure:
        network, missing = None, str(failure)
    return Source(stored, line, top["epoch"], network, missing)


def _saved(folder: Path, last: int) -> int:
    """The epoch of the last checkpoint; `last` if there is none, or none that can be read."""
    try:
        with safe_open(folder / "checkpoint.safetensors", framework="numpy") as file:
            return min(max(int(file.get_tensor("epoch")), 1), last)
    except (OSError, SafetensorError):
        return last


def _network(stored: Stored, best: bool) -> Network:
    net, params = stored.network(best)
    data = read(stored.experiment.data, stored.experiment.seed)
    if describe(data)["fingerprint"] != stored.description["fingerprint"]:
        raise Failure(
            "The data are not those that the run was trained on: they have changed since."
        )
    return Network(net, params, data, prepare(stored.experiment, data))
