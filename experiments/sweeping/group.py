"""Cells that train together, epoch by epoch, and their common state in one file.

The state is in one file so that all cells are taken up again after the same epoch, by the same
program: then they end with the same bytes as if they had never stopped.
"""

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.sweeping.record import FORMAT, Sweep, labels
from experiments.sweeping.together import Member, first_states, holder, together
from experiments.sweeping.track import Track
from experiments.training import nonfinite
from experiments.training.loop import Epoch
from jaxnn import saving


class _Moment(NamedTuple):
    """The states of all cells after an epoch, and after the best epoch of each; on the host."""

    epoch: int
    states: Any
    best: Any


class Group:
    """Cells of a sweep that are trained as one program, from where they were left."""

    def __init__(self, sweep: Sweep, members: Sequence[Member], about: dict[str, Any]) -> None:
        cells = [member.cell for member in members]
        self.name = labels(cells)
        number = cells[0].name.partition("-")[0]
        self._path = sweep.folder / f"checkpoint-{number}.safetensors"
        self._header = {
            "format": FORMAT,
            "cells": " ".join(cell.name for cell in cells),
            "data": " ".join(member.data for member in members),
        }
        self._program = together(members)
        self._saved = self._now = self._load(first_states(members))
        self._tracks = [Track(sweep, member, about, self.epoch) for member in members]

    @property
    def epoch(self) -> int:
        """The epoch trained last."""
        return self._now.epoch

    @property
    def over(self) -> bool:
        """Whether nothing is left to train."""
        return all(track.over for track in self._tracks)

    def train_epoch(self) -> tuple[dict[str, dict[str, Any]], float]:
        """Train the next epoch: (metrics by cell, examples a second)."""
        started, number = time.perf_counter(), self.epoch + 1
        rates = [track.rate for track in self._tracks]
        states, objectives = self._program.epoch(self._now.states, number, rates)
        objectives = np.asarray(objectives)  # waits for the epoch to end
        seconds = (time.perf_counter() - started) / len(rates)
        states = jax.device_get(states)
        epochs = [
            Epoch(number, _one(states, index), float(objective), seconds, rate)
            for index, (objective, rate) in enumerate(zip(objectives, rates, strict=True))
        ]
        found = self._record(epochs)
        better = np.array([track.name in found and track.best_now for track in self._tracks])
        best = jax.tree.map(lambda new, old: _where(better, new, old), states, self._now.best)
        self._now = _Moment(number, states, best)
        for index, track in enumerate(self._tracks):
            if track.ended and not track.over:
                track.finish(_one(states, index), _one(best, index))
        return found, self._program.examples / seconds

    def _record(self, epochs: Sequence[Epoch]) -> dict[str, dict[str, Any]]:
        """The metrics of the cells that are not over, by name; those that diverge are then."""
        found: dict[str, dict[str, Any]] = {}
        for index, (track, epoch) in enumerate(zip(self._tracks, epochs, strict=True)):
            if track.over:
                continue
            if math.isfinite(epoch.objective) and nonfinite.finite(epoch.state.params):
                found[track.name] = track.record(epoch)
            else:
                self._keep(track, index)
                track.diverge(epoch.number)
        return found

    def close(self) -> None:
        """Let go of the files that are open."""
        for track in self._tracks:
            track.close()

    def save_if(self, due: bool) -> None:
        """Save the common state if it is due; once all cells are over, it goes."""
        if self.over:
            self._path.unlink(missing_ok=True)
        elif due:
            tree = self._now._replace(epoch=np.asarray(self.epoch, np.int64))
            nn.save(self._path, tree, self._header)
            self._saved = self._now

    def _keep(self, track: Track, index: int) -> None:
        """Save the last good state of a cell that has diverged, for a look at what happened."""
        if self._saved.epoch:
            states, best = (_one(tree, index) for tree in self._saved[1:])
            track.keep(states, self._saved.epoch, best)

    def _load(self, first: Any) -> _Moment:
        start = _Moment(0, first, first)
        if not self._path.exists():
            return start
        try:
            found, header = saving.read(self._path, start._replace(epoch=np.zeros((), np.int64)))
        except ValueError as error:
            raise ConfigError(str(error)) from None
        for name, expected in self._header.items():
            if header.get(name) != expected:
                what = "the data have changed since" if name == "data" else "is of another sweep"
                raise ConfigError(f"{self._path}: {what}; put them back, or start a new sweep")
        return found._replace(epoch=int(found.epoch))


def _one(tree: Any, index: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[index, ...], tree)  # an array, even of no dimension


def _where(better: Any, new: Any, old: Any) -> Any:
    return holder(new).where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)
