"""A run that ends in front of any of its writes goes on to the same bytes: their order is right."""

import os
from pathlib import Path

import pytest

from experiments.common.runs import Lines
from experiments.config import Experiment
from experiments.config.file import load
from experiments.training import history
from experiments.training.run import resume, run
from experiments.training.stored import open_run

# At this rate the loss goes down and up: the best epoch is neither the first nor the last.
WORDS = ["--train.epochs", "3", "--train.lr", "0.5", "--data.validation_fraction", "0.2"]
RECORD = ("best.safetensors", "checkpoint.safetensors", "metrics.jsonl", "parameters.safetensors")


class Cut(BaseException):
    """Stands for `kill -9`."""


class Writes:
    """Counts what is written into a folder, and raises Cut in front of number `left`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.left, self.folder = 0, 0, Path("none")
        replace, append = os.replace, Lines.append

        def counted_replace(source: Path, path: Path) -> None:
            if Path(path).parent == self.folder:
                self._one_more()
            replace(source, path)

        def counted_append(lines: Lines, *values: object, **options: bool) -> object:
            self._one_more()
            return append(lines, *values, **options)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(os, "replace", counted_replace)
        monkeypatch.setattr(Lines, "append", counted_append)

    def _one_more(self) -> None:
        self.count += 1
        if self.count == self.left:
            raise Cut

    def watch(self, folder: Path, left: int = 0) -> None:
        """Count anew, in this folder."""
        folder.mkdir()
        self.count, self.left, self.folder = 0, left, folder


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Writes:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Writes(monkeypatch)


def record(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RECORD}


@pytest.mark.parametrize(
    ("every", "patience"),
    [(1, []), (2, ["--train.patience", "1"]), (3, [])],
    ids=["each epoch", "patience", "the last epoch"],
)
def test_a_run_cut_off_in_front_of_any_write_ends_with_the_same_bytes(
    every: int, patience: list[str], writes: Writes, tmp_path: Path
):
    experiment = load("iris", [*WORDS, *patience])
    writes.watch(tmp_path / "whole")
    run(experiment, writes.folder, every=every, how="silent")
    whole, total = record(writes.folder), writes.count
    assert 1 < best_epoch(writes.folder, experiment) < 3
    for left in range(2, total + 1):  # 1 is config.toml, without which nothing is a run
        writes.watch(tmp_path / str(left), left)
        with pytest.raises(Cut):
            run(experiment, writes.folder, every=every, how="silent")
        resume(writes.folder, every=every, how="silent")
        assert record(writes.folder) == whole, f"cut off in front of write {left} of {total}"


def best_epoch(folder: Path, experiment: Experiment) -> int:
    lines = open_run(folder).metrics
    return 1 + history.best([history.watched(experiment.train, "validation", x) for x in lines])
