"""The command `check`: what it prints and leaves, and that it finds a planted mistake."""

import json

import jax
import numpy as np
import pytest

import jaxnn as nn
from experiments.__main__ import main
from experiments.config.file import load
from experiments.report import gradient_map
from experiments.report.checking import first_batch, gradients

FILES = ["config.toml", "environment.json", "gradients.png", "report.json", "report.txt"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Data sets are cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def half_a_bias(monkeypatch):
    """Dense layers of three units halve the gradient of their bias."""
    right = nn.Dense.backward

    def backward(self, params, residuals, dy, read):
        dx, found = right(self, params, residuals, dy, read)
        return dx, found._replace(b=found.b / 2) if self.n_out == 3 else found

    monkeypatch.setattr(nn.Dense, "backward", backward)


def test_right_gradients_end_with_status_0_and_leave_a_record(tmp_path, capsys):
    words = f"check iris --level quick --train.l2 0.1 --out {tmp_path / 'runs'}"
    assert main(words.split()) == 0
    folder = tmp_path / "runs" / "0001-iris-check"
    said = capsys.readouterr().out
    assert said.count(": ok   (float64, float32; seed 0;") == 2
    assert said.count("would have caught in float32") == 2
    assert f"{folder}  (" in said
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert said.startswith((folder / "report.txt").read_text())
    found = json.loads((folder / "report.json").read_text())
    assert {name: report["verdict"] for name, report in found.items()} == {
        "backpropagation": "ok",
        "penalty": "ok",
    }
    assert load(str(folder / "config.toml"), []).train.l2 == 0.1
    assert (folder / "gradients.png").stat().st_size > 10_000


@pytest.mark.usefixtures("half_a_bias")
def test_a_wrong_gradient_ends_with_status_1_and_names_layer_and_cause(tmp_path, capsys):
    assert main(f"check iris --level quick --out {tmp_path}".split()) == 1
    said = capsys.readouterr().out
    assert "place    [2] Dense(3): params.b" in said
    assert "off by the factor 0.5" in said
    found = json.loads((tmp_path / "0001-iris-check" / "report.json").read_text())
    assert found["backpropagation"]["verdict"] == "wrong"


@pytest.mark.usefixtures("half_a_bias")
def test_the_picture_has_both_gradients():
    ours, reference = gradients(first_batch(load("iris", [])))
    error = jax.tree.map(lambda a, b: np.abs(a - b).max() / np.abs(b).max(), ours, reference)
    assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves((ours, reference)))
    assert error[2].b == pytest.approx(0.5)
    assert max(*error[0], error[2].w) < 1e-13


def test_code_that_raises_ends_with_status_1_and_no_picture(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(nn.Dense, "backward", lambda *_: 1 / 0)
    assert main(f"check iris --level quick --out {tmp_path}".split()) == 1
    assert "raised ZeroDivisionError" in capsys.readouterr().out
    assert not (tmp_path / "0001-iris-check" / "gradients.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("check", "'check' needs a config as its next word"),
        ("check digts", "no config is called 'digts', did you mean 'digits'?"),
        ("check xor", "'xor' is a demo, which has no config to check; use 'run'"),
        ("check feedback_alignment", "model.backward: feedback_alignment does not compute the"),
    ],
)
def test_what_cannot_be_checked_ends_with_status_2(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("runs/*"))


def test_a_level_there_is_not_ends_with_status_2(capsys):
    assert main(["check", "iris", "--level", "thorough"]) == 2
    assert "invalid choice: 'thorough'" in capsys.readouterr().err


def test_a_large_matrix_is_shown_by_the_worst_entry_of_each_block():
    errors = np.zeros((1000, 7))
    errors[503, 2], errors[999, 6] = 0.5, np.nan
    small = gradient_map.coarse(errors, cells=10)
    assert small.shape == (10, 7)
    assert small[5, 2] == 0.5
    assert np.isnan(small[9, 6])
    assert np.nansum(small) == 0.5


def test_an_error_is_relative_to_the_norm_of_its_array():
    right, ours = np.array([3.0, 0.0, 4.0]), np.array([3.0, 0.5, 4.0])
    assert gradient_map.relative(ours, right, 5.0).tolist() == [[0, 0.1, 0]]
    assert gradient_map.relative(right, right, 0.0).tolist() == [[0, 0, 0]]
    assert gradient_map.relative(np.array(2.0), np.array(1.0), 1.0).tolist() == [[1.0]]


def test_zero_gradients_and_what_is_no_number_can_be_drawn(tmp_path):
    right = {"p[0].w": np.ones((2, 3, 4)), "p[0].b": np.zeros(5), "p[1]": np.ones(())}
    ours = {**right, "p[0].w": np.full((2, 3, 4), np.nan)}
    gradient_map.draw(tmp_path / "a.png", "title", ours, right, 1e-15)
    assert (tmp_path / "a.png").stat().st_size > 5_000
