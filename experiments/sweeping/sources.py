"""The examples of all cells, each data set read once, and whether networks and data fit."""

from collections.abc import Sequence
from typing import Any

from experiments.common.failures import ConfigError
from experiments.config import Data
from experiments.data import Dataset, describe, read
from experiments.sweeping.grid import Cell
from experiments.sweeping.groups import program
from experiments.sweeping.together import Member
from experiments.training import build
from experiments.training.loop import start
from experiments.training.measure import ready
from experiments.training.task import Task, prepare
from experiments.training.warm_start import warmed

_KEPT = 4  # data sets held at once


class Sources:
    """Data sets by their section of the config and the seed of the split."""

    def __init__(self) -> None:
        self._read: dict[tuple[Data, int], tuple[Dataset, Any]] = {}

    def data(self, cell: Cell) -> tuple[Dataset, Any]:
        """(data set, description) of a cell. Raises DataError if it cannot be had."""
        key = cell.experiment.data, cell.experiment.seed
        if key not in self._read:
            if len(self._read) == _KEPT:
                self._read.pop(next(iter(self._read)))
            data = read(*key)
            self._read[key] = data, describe(data)
        return self._read[key]

    def members(self, cells: Sequence[Cell]) -> list[Member]:
        """The cells of a group with their tasks; equal examples lie on the device once."""
        tasks, found = {}, []
        for cell in cells:
            data, description = self.data(cell)
            mark, train = description["fingerprint"], cell.experiment.train
            if mark not in tasks:
                tasks[mark] = prepare(cell.experiment, data)
            task = tasks[mark]._replace(
                optimizer=build.optimizer(train, len(data.x)), penalty=build.penalty(train)
            )
            found.append(Member(cell, task, description))
        return found

    def check(self, cells: Sequence[Cell]) -> bool:
        """Whether classes are predicted. Raises ConfigError for what only data can tell, such as a
        network that does not fit them: a line for each problem, before anything is trained."""
        problems: dict[str, str] = {}
        tasks: dict[Any, Task] = {}  # a seed decides which examples are held back, not how many
        for cell in cells:
            experiment, kind = cell.experiment, program(cell)
            try:
                if kind not in tasks:
                    tasks[kind] = prepare(experiment, self.data(cell)[0])
                ready(experiment, tasks[kind])
                if given := experiment.train.warm_start:
                    warmed(given, start(experiment, tasks[kind]))
            except ConfigError as error:
                problems.setdefault(str(error), cell.name)
        if problems:
            lines = [f"  {why}, in {name}" for why, name in problems.items()]
            raise ConfigError("\n".join(["sweep: cells that cannot be trained", *lines]))
        return bool(self.data(cells[0])[0].classes)
