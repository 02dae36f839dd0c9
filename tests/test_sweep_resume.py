"""A sweep that is stopped, by whatever, goes on to the same bytes as one that never was."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.sweeping.group import Group
from tests.test_sweep_training import PLAIN, lines, own_cache, sweep

__all__ = ["own_cache"]  # a fixture that is used by itself

ROOT = Path(__file__).parents[1]


def files(folder):
    """What is the same every time: everything but times."""
    names = ("metrics.jsonl", "histograms.jsonl", "config.toml", "results.json")
    paths = [p for p in folder.rglob("*") if p.name in names or p.suffix == ".safetensors"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(paths)}


WORDS = ["iris", "train.lr=0.02,0.1", "--seeds", "2", "--train.epochs", "12", PLAIN]


KILL = """
import os, signal, sys
from experiments.common import runs
from experiments.__main__ import main
from jaxnn import saving

left = int(sys.argv.pop(1))

def counted(write):
    def killed_before(*arguments, **options):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*arguments, **options)
    return killed_before

saving.write_whole = runs.write_whole = counted(runs.write_whole)
runs.Lines.append = counted(runs.Lines.append)
main(sys.argv[1:])
"""


def killed(out, write):
    """A sweep in a process of its own, ended by `kill -9` in front of that write to its folder."""
    words = [sys.executable, "-c", KILL, str(write), "sweep", *WORDS, "--out", str(out)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    return next(iter(out.iterdir()))


def whole(out):
    return files(sweep(out, *WORDS))


def test_a_killed_sweep_goes_on_to_the_same_bytes(tmp_path):
    folder = killed(tmp_path / "killed", 120)  # in the second of its two groups
    assert not (folder / "results.json").exists()
    assert 1 < len(lines(folder / "0002-iris")) < 12
    before = (folder / "0001-iris" / "parameters.safetensors").stat().st_mtime_ns
    assert main(["resume", str(folder)]) == 0
    assert files(folder) == whole(tmp_path / "whole")
    assert (folder / "0001-iris" / "parameters.safetensors").stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize("write", [2, 12, 20, 22, 76, 78, 79, 80, 81, 90, 95, 156, 157])
def test_a_sweep_killed_anywhere_goes_on_to_the_same_bytes(write, tmp_path):
    folder = killed(tmp_path / "killed", write)
    assert main(["resume", str(folder)]) == 0
    assert files(folder) == whole(tmp_path / "whole")


@pytest.mark.parametrize(
    ("kind", "number"),
    [("adam", "b1"), ("kfac", "damping")],  # whose state holds a random key
)
def test_an_interrupted_sweep_says_how_to_go_on(kind, number, tmp_path, capsys, monkeypatch):
    train_epoch = Group.train_epoch

    def asked_to_stop(self):
        found = train_epoch(self)
        if self.epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    monkeypatch.setattr(Group, "train_epoch", asked_to_stop)
    values = f"{{kind='{kind}', {number}=0.1}},{{kind='{kind}', {number}=0.3}}"
    words = ["iris", f"train.optimizer={values}", "--train.epochs", "4", PLAIN]
    out = tmp_path / "interrupted"
    assert main(["sweep", *words, "--every", "3", "--out", str(out)]) == 130
    (folder,) = out.iterdir()
    said = capsys.readouterr().err
    assert "interrupted after epoch 2 of 0001-iris and 1 more, which is saved" in said
    assert f"python -m experiments resume {folder}" in said
    monkeypatch.undo()
    assert main(["resume", str(folder)]) == 0
    assert [line["epoch"] for line in lines(folder / "0002-iris")] == [1, 2, 3, 4]
    assert files(folder) == files(sweep(tmp_path / "whole", *words))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "sweep.json: cannot be read as a sweep: 'format'"),
        ("[", "sweep.json: cannot be read as a sweep"),
        ('{"format": "other"}', "expected format 'jaxnn sweep 1', got 'other'"),
    ],
)
def test_a_damaged_sweep_is_refused(text, message, tmp_path, capsys):
    (tmp_path / "sweep.json").write_text(text)
    assert main(["resume", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_config_that_was_changed_under_a_sweep_is_refused(tmp_path, capsys):
    folder = sweep(tmp_path, "iris", "train.lr=0.01,0.02", "--train.epochs", "1", PLAIN)
    before = files(folder)
    path = folder / "0002-iris" / "config.toml"
    path.write_text(path.read_text().replace("lr = 0.02", "lr = 0.03"))
    assert main(["resume", str(folder)]) == 2
    assert f"{path}: is not what {folder}/sweep.json says of this cell" in capsys.readouterr().err
    path.write_bytes(before["0002-iris/config.toml"])
    assert main(["resume", str(folder)]) == 0
    assert "no cell to train" in capsys.readouterr().out
    assert files(folder) == before
