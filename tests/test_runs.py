"""The record of a run: folders, JSON, parameters."""

import json
import threading
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.common import runs


def test_folders_are_numbered_and_never_reused(tmp_path: Path):
    out = tmp_path / "deep" / "runs"
    assert runs.new_folder(out, "digits").name == "0001-digits"
    assert runs.new_folder(out, "iris").name == "0002-iris"
    (out / "0041-by-hand").touch()
    (out / "notes.txt").touch()
    (out / "10000-many").mkdir()
    assert runs.new_folder(out, "iris").name == "10001-iris"


def test_runs_that_start_together_get_folders_of_their_own(tmp_path: Path):
    made: list[Path] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        made.append(runs.new_folder(tmp_path, "same"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in made) == [f"{i:04d}-same" for i in range(1, 9)]


def test_a_number_that_was_just_taken_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "0001-x").mkdir()
    seen = iter([0, 1])
    monkeypatch.setattr(runs, "_highest", lambda out: next(seen))
    assert runs.new_folder(tmp_path, "x").name == "0002-x"


def test_an_out_folder_that_cannot_be_made_is_an_os_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="file"):
        runs.new_folder(tmp_path / "file", "x")


def test_json_holds_every_number_and_stays_json(tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text("before", encoding="utf-8")
    values = {
        "a": [1, 2.5, True, None, "x"],
        "b": (jnp.float32(0.5), np.int64(3), np.array(2.0)),
        "c": {"nan": jnp.nan, "inf": np.float32("inf"), "low": float("-inf")},
    }
    runs.write_json(path, values)
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail) == {
        "a": [1, 2.5, True, None, "x"],
        "b": [0.5, 3.0, 2.0],
        "c": {"nan": "nan", "inf": "inf", "low": "-inf"},
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "result.json"
    runs.write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="float"):
        runs.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}


def test_metrics_are_one_line_per_epoch(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    metrics = runs.Lines(path)
    metrics.append({"epoch": 1, "loss": jnp.float32(0.25)})
    assert path.read_text(encoding="utf-8") == '{"epoch": 1, "loss": 0.25}\n'
    metrics.append({"epoch": 2, "loss": float("nan")})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1]) == {"epoch": 2, "loss": "nan"}


def test_the_environment_is_named_and_is_json(tmp_path: Path):
    found = runs.environment()
    assert found["jax"].startswith("0.")
    assert found["device_count"] >= 1
    assert found["time"].endswith("+00:00")
    runs.write_json(tmp_path / "environment.json", found)


def test_what_is_unknown_about_the_environment_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert runs._version("no-such-package-as-this") is None
    assert runs._commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runs._commit(tmp_path) is None
