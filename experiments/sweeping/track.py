"""A cell of a sweep while it trains: it leaves the same files as a run by itself."""

from pathlib import Path
from typing import Any

import jaxnn as nn
from experiments.common.runs import Lines, write_json
from experiments.config.toml import to_toml
from experiments.sweeping.record import Sweep
from experiments.sweeping.together import Member
from experiments.training import checkpoint, history
from experiments.training.checkpoint import Checkpoint
from experiments.training.events import Events
from experiments.training.frozen import frozen
from experiments.training.loop import Epoch, run_key
from experiments.training.measure import measure


class Track:
    """Follows a cell from epoch to epoch. `over` says that nothing more of it is recorded."""

    def __init__(self, sweep: Sweep, member: Member, about: dict[str, Any], epoch: int) -> None:
        self.member, self.over = member, sweep.over(member.cell)
        self.name = member.cell.name
        self._sweep = sweep
        self._experiment = member.cell.experiment
        self._folder = sweep.place(member.cell)
        self._belongs = {"config": to_toml(self._experiment), "data": member.data}
        self._part = member.task.selection
        self._events: Events | None = None
        if not self.over:
            write_json(self._folder / "data.json", member.description)
            seed = {"seed": self._experiment.seed}
            write_json(self._folder / "environment.json", about | seed)
            for name in ("times", "histograms", "metrics"):
                self._lines(name).keep(epoch)
            self._events = Events(self._experiment, self._folder)
        self._values = [self._watched(line) for line in self._lines("metrics").read()]

    @property
    def rate(self) -> float:
        """What its learning rate is multiplied by in the next epoch."""
        return history.rate(self._values, self._experiment.train.schedule)

    @property
    def best_now(self) -> bool:
        """Whether the epoch recorded last is the best so far."""
        return history.best(self._values) == len(self._values) - 1

    @property
    def ended(self) -> bool:
        """Whether its last epoch is done, or its patience is at an end."""
        train = self._experiment.train
        return len(self._values) == train.epochs or history.ended(self._values, train.patience)

    def record(self, epoch: Epoch) -> dict[str, Any]:
        """The metrics of an epoch, once they are in the folder."""
        found, histograms = measure(self._experiment, self.member.task, epoch)
        if self._events is not None:
            self._events.epoch(found, histograms)
        if histograms:
            self._lines("histograms").append({"epoch": epoch.number, **histograms})
        self._lines("times").append({"epoch": epoch.number, "seconds": epoch.seconds})
        line = self._lines("metrics").append(found, durable=True)
        self._values.append(self._watched(line))
        return line

    def keep(self, last: Any, number: int, best: Any) -> None:
        """Save the state after epoch `number`, and that of the best epoch up to it."""
        where = history.best(self._values[:number]) + 1
        for name, state, epoch in (("checkpoint", last, number), ("best", best, where)):
            kept = Checkpoint(state, epoch, run_key(self._experiment))
            checkpoint.save(self._folder / f"{name}.safetensors", kept, self._belongs)

    def finish(self, last: Any, best: Any) -> None:
        """Save everything that a run ends with."""
        self.keep(last, len(self._values), best)
        state = last if self._experiment.train.patience is None else best
        params = frozen(self._experiment, self.member.task.net, state)[1]
        nn.save(self._folder / "parameters.safetensors", params)
        self.over = True

    def diverge(self, number: int) -> None:
        """Note that epoch `number` came to nan or infinity."""
        self._sweep.set_diverged(self.member.cell, number)
        self.over = True

    def close(self) -> None:
        """Let go of the files that are open."""
        if self._events is not None:
            self._events.__exit__()

    def _lines(self, name: str) -> Lines:
        return Lines(Path(self._folder / f"{name}.jsonl"))

    def _watched(self, line: dict[str, Any]) -> float:
        return history.watched(self._experiment.train, self._part, line)
