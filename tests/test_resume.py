"""Runs that are stopped, killed, damaged, or changed under way: nothing is lost or overwritten."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.__main__ import main

ROOT = Path(__file__).parent.parent
CONFIG = """
    name = "all"
    data = { name = "wine", validation_fraction = 0.2 }
    [[model.layers]]
    kind = "dense"
    units = 8
    [[model.layers]]
    kind = "batch_norm"
    [[model.layers]]
    kind = "activation"
    name = "relu"
    [[model.layers]]
    kind = "dropout"
    drop_rate = 0.3
    [[model.layers]]
    kind = "dense"
    units = 3
    [train]
    epochs = 40
    batch_size = 16
    lr = 0.01
    average = 0.9
    schedule = { kind = "plateau", patience = 2 }
    [train.optimizer]
    kind = "adam"
"""
# Ends the process with -9 so many seconds after the training began to write metrics.
DRIVER = """
import os, signal, sys, threading
from experiments.__main__ import main
delay = float(sys.argv[1])
def begin(event, arguments):
    if event == "open" and str(arguments[0]).endswith("metrics.jsonl") and not started:
        started.append(True)
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
started = []
if delay:
    sys.addaudithook(begin)
sys.exit(main(sys.argv[2:]))
"""
RECORD = (
    "best.safetensors",
    "checkpoint.safetensors",
    "config.toml",
    "data.json",
    "histograms.jsonl",
    "metrics.jsonl",
    "parameters.safetensors",
)


def call(*words: object, kill_after: float = 0.0) -> int:
    command = [sys.executable, "-W", "error", "-c", DRIVER, str(kill_after), *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120).returncode


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "all.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def whole(config: Path) -> Path:
    """The folder of a run that nothing happened to."""
    assert main(["run", str(config), "--out", str(config.parent / "whole")]) == 0
    return config.parent / "whole" / "0001-all"


def record(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RECORD}


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(
    kills: int, config: Path, whole: Path, tmp_path: Path
):
    draw = random.Random(kills)
    folder = tmp_path / "0001-all"
    words = ["run", config, "--out", tmp_path]
    killed = 0
    for _ in range(kills):
        killed += call(*words, kill_after=draw.uniform(0.001, 0.15)) == -signal.SIGKILL
        words = ["resume", folder]
    assert killed == kills
    assert not (folder / "parameters.safetensors").exists()
    assert call(*words) == 0
    assert record(folder) == record(whole)


def test_resuming_a_finished_run_changes_nothing(whole: Path):
    before = record(whole)
    assert main(["resume", str(whole)]) == 0
    assert record(whole) == before


def test_checkpoints_further_apart_end_with_the_same_bytes(
    config: Path, whole: Path, tmp_path: Path
):
    words = ["run", config, "--out", tmp_path, "--every", 7]
    assert call(*words, kill_after=0.1) == -signal.SIGKILL
    assert call("resume", tmp_path / "0001-all", "--every", 100) == 0
    assert record(tmp_path / "0001-all") == record(whole)


def test_an_interruption_ends_the_epoch_saves_it_and_says_how_to_go_on(
    config: Path, whole: Path, tmp_path: Path
):
    words = ["run", config, "--out", tmp_path, "--every", 1000, "--train.epochs", 100000]
    command = [sys.executable, "-m", "experiments", *map(str, words)]
    folder = tmp_path / "0001-all"
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        metrics = folder / "metrics.jsonl"
        until = time.monotonic() + 60
        while not (metrics.exists() and metrics.stat().st_size) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    done = len(metrics.read_text().splitlines())
    assert said == (
        f"interrupted after epoch {done}, which is saved; go on with:\n"
        f"  python -m experiments resume {folder}\n"
    )
    assert (folder / "checkpoint.safetensors").exists()


@pytest.fixture
def begun(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run with one epoch."""
    assert main(["run", str(config), "--out", str(tmp_path), "--train.epochs", "1"]) == 0
    capsys.readouterr()
    return tmp_path / "0001-all"


def refused(words: Sequence[object], status: int, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([str(word) for word in words]) == status
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_a_config_changed_under_a_run_is_refused_with_the_difference(
    begun: Path, capsys: pytest.CaptureFixture[str]
):
    text = (begun / "config.toml").read_text()
    (begun / "config.toml").write_text(text.replace("lr = 0.01", "lr = 0.02"))
    before = (begun / "checkpoint.safetensors").read_bytes()
    said = refused(["resume", begun], 2, capsys)
    assert "was trained with another config" in said
    assert "  it has      lr = 0.01\n  config.toml lr = 0.02" in said
    assert (begun / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("cut", [0, 5, 500, -1])
def test_a_damaged_checkpoint_is_refused_and_kept(
    cut: int, begun: Path, capsys: pytest.CaptureFixture[str]
):
    path = begun / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    before = path.read_bytes()
    lines = (begun / "metrics.jsonl").read_bytes()
    assert "not a safetensors file" in refused(["resume", begun], 2, capsys)
    assert path.read_bytes() == before
    assert (begun / "metrics.jsonl").read_bytes() == lines


def test_metrics_that_lack_an_epoch_are_refused(begun: Path, capsys: pytest.CaptureFixture[str]):
    (begun / "metrics.jsonl").write_text("")
    assert "a line for each of the 1 epochs" in refused(["resume", begun], 2, capsys)


def test_a_foreign_checkpoint_is_refused(begun: Path, capsys: pytest.CaptureFixture[str]):
    (begun / "parameters.safetensors").rename(begun / "checkpoint.safetensors")
    said = refused(["resume", begun], 2, capsys)
    assert "state/params/0/w: the file has nothing, the network float32[13, 8]" in said


def test_what_is_no_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "no such run folder" in refused(["resume", tmp_path / "none"], 2, capsys)
    assert "has no config.toml" in refused(["resume", tmp_path], 2, capsys)
    assert "usage: python -m experiments resume" in refused(["resume"], 2, capsys)


@pytest.mark.parametrize(
    ("place", "error"),
    [("fsync", "No space left on device"), ("replace", "Read-only file system")],
)
def test_a_disk_that_takes_nothing_is_one_message_and_keeps_the_last_checkpoint(
    place: str,
    error: str,
    begun: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    before = (begun / "checkpoint.safetensors").read_bytes()

    def fail(*given: object) -> None:
        number = {"fsync": 28, "replace": 30}[place]
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, place, fail)  # not a folder without rights: root may write there too
    assert refused(["resume", begun], 1, capsys) == f"{error}\n"
    assert (begun / "checkpoint.safetensors").read_bytes() == before
    assert not list(begun.glob(".*.part"))


def test_a_warm_start_begins_with_the_parameters_of_another_run(
    config: Path, begun: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["run", str(config), "--out", str(tmp_path / "warm"), "--train.epochs", "1"]
    assert main([*words, "--train.warm_start", str(begun)]) == 0
    cold, warm = (
        json.loads((folder / "metrics.jsonl").read_text())["objective"]
        for folder in (begun, tmp_path / "warm" / "0001-all")
    )
    assert warm < cold
    capsys.readouterr()
    other = [*words, "--model.layers.0.units", "9", "--train.warm_start", str(begun)]
    assert "has [13, 8] for 'state/params/0/w', the network [13, 9]" in refused(other, 2, capsys)
    missing = [*words, "--train.warm_start", str(tmp_path / "none")]
    assert "expected the folder of a run" in refused(missing, 2, capsys)
