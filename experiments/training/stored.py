"""A run as it lies on disk: its config, its metrics, its network."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.common.failures import ConfigError
from experiments.common.runs import Lines
from experiments.config import Experiment
from experiments.config.file import load

if TYPE_CHECKING:
    from experiments.data.description import Description


class Stored(NamedTuple):
    """A run folder, read. `metrics` has a line for each epoch trained so far."""

    folder: Path
    experiment: Experiment
    metrics: list[dict[str, Any]]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, whatever its number of epochs."""
        return (self.folder / "parameters.safetensors").exists()

    @property
    def description(self) -> "Description":
        """What data.json says of the data. Raises DataError if the run did not come so far."""
        from experiments.data import read_description

        return read_description(self.folder / "data.json")

    def network(self, best: bool = False) -> tuple[Any, Any]:
        """(net, params), frozen for inference: of the end of the run or, unfinished, of its last
        saved epoch; with `best` of its best epoch. Raises ConfigError where nothing was saved."""
        from experiments.training.frozen import stored_network

        return stored_network(self.folder, self.experiment, self.description, best)


def open_run(folder: Path) -> Stored:
    """Read a run folder. Raises ConfigError, saying what is missing, if it is none."""
    config = folder / "config.toml"
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such run folder")
    if not config.exists():
        raise ConfigError(f"{folder}: not the folder of a run: it has no config.toml")
    experiment = load(str(config), [])
    return Stored(folder, experiment, Lines(folder / "metrics.jsonl").read())
