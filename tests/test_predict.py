"""`predict`: what a run's network says of new examples, and in what form."""

import csv
import types
from pathlib import Path

import numpy as np
import pytest

import jaxnn as nn
from experiments import config
from experiments.__main__ import main
from experiments.commands import predict
from experiments.common.failures import ConfigError
from experiments.data import Dataset, describe
from experiments.data.parts import Examples, split
from experiments.training import stored

X = np.random.default_rng(0).normal(3, 30, (12, 3))
NAMES = ('a, "b"', "é", "c\nd")  # what a table has to put into quotes
ASKED: list[bool] = []


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run whose network gives out what it is given: the standardised features."""

    def make(loss: config.LossSpec, y: np.ndarray, classes: tuple[str, ...] = (), k: int = 3):
        names = tuple(f"x{i}" for i in range(k))
        data = split(Examples("own", X[:, :k], y, classes, features=names))
        experiment = config.Experiment(
            name="fake",
            data=config.Data(path="own.npz"),
            model=config.Model(layers=(config.Dense(units=k),), loss=loss),
            train=config.Train(epochs=1, batch_size=1, lr=1.0),
        )
        found = types.SimpleNamespace(
            folder=tmp_path,
            experiment=experiment,
            description=describe(data),
            network=lambda best: ASKED.append(best) or (nn.linear, ()),
        )
        monkeypatch.setattr(stored, "open_run", lambda path: found)
        np.savez(tmp_path / "new.npz", x=X[:, :k])
        return data

    return make


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def table(folder: Path, *words: str) -> tuple[list[str], list[str], np.ndarray]:
    """(header, predicted, numbers behind it) of what `predict` writes of the new examples."""
    assert predict.main([str(folder), str(folder / "new.npz"), *words]) == 0
    header, *found = rows(folder / "predictions-new.csv")
    assert [row[0] for row in found] == [str(i + 1) for i in range(len(found))]
    numbers = [[float(cell) for cell in row[2:]] for row in found]
    return header, [row[1] for row in found], np.array(numbers)


def outputs(data: Dataset, k: int = 3) -> np.ndarray:
    assert data.scaling is not None
    return (X[:, :k] - data.scaling.mean) / data.scaling.std


def test_classes_come_with_their_softmax(run, tmp_path, capsys):
    data = run(config.SoftmaxCrossEntropy(), np.arange(12, dtype=np.int32) % 3, NAMES)
    header, predicted, p = table(tmp_path, "--best")
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "predictions-new.csv")
    assert ASKED.pop() is True
    assert header == ["row", "predicted", *(f"p({name})" for name in NAMES)]
    e = np.exp(outputs(data))
    np.testing.assert_allclose(p, e / e.sum(1, keepdims=True), rtol=1e-6)
    assert predicted == [NAMES[i] for i in p.argmax(1)]


def test_a_single_logit_says_how_likely_the_second_class_is(run, tmp_path):
    y = np.arange(12, dtype=np.int32) % 2
    data = run(config.SigmoidCrossEntropy(), y, ("no", "yes"), k=1)
    header, predicted, p = table(tmp_path)
    assert header == ["row", "predicted", "p(no)", "p(yes)"]
    yes = 1 / (1 + np.exp(-outputs(data, 1)[:, 0]))
    np.testing.assert_allclose(p, np.stack([1 - yes, yes], axis=1), rtol=1e-6)
    assert predicted == ["yes" if share > 0.5 else "no" for share in yes]
    assert set(predicted) == {"no", "yes"}


def test_outputs_that_are_no_probabilities_are_called_scores(run, tmp_path):
    data = run(config.HalfSquare(), np.arange(12, dtype=np.int32) % 3, NAMES)
    header, _, scores = table(tmp_path)
    assert header[2:] == [f"score({name})" for name in NAMES]
    np.testing.assert_allclose(scores, outputs(data), rtol=1e-6)


def test_amounts_come_in_their_own_units(run, tmp_path):
    data = run(config.HalfSquare(), np.arange(36.0).reshape(12, 3) * 1e6)
    header, first, others = table(tmp_path)
    assert header == ["row", "predicted 0", "predicted 1", "predicted 2"]
    found = np.column_stack([np.array(first, float), others])
    expected = outputs(data) * data.scaling.target_std + data.scaling.target_mean
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    run(config.HalfSquare(), np.arange(12.0)[:, None], k=1)
    (tmp_path / "predictions-new.csv").unlink()
    assert table(tmp_path)[0] == ["row", "predicted"]


def test_a_file_that_is_there_is_not_overwritten(run, tmp_path, capsys):
    run(config.HalfSquare(), np.arange(12.0)[:, None], k=1)
    words = ["predict", str(tmp_path), str(tmp_path / "new.npz")]
    out = tmp_path / "mine.csv"
    out.write_text("kept")
    assert main([*words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said == f"--out: {out} is there already, and is not overwritten; name another\n"
    with pytest.raises(ConfigError, match="is not overwritten"):  # it came up in the meantime
        predict._write(out, iter([["new"]]))
    assert out.read_text() == "kept"
    assert main([*words, "--out", str(tmp_path / "no" / "mine.csv")]) == 1
    assert f"--out: cannot write {tmp_path / 'no' / 'mine.csv'}: No such" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "new.npz"]


def test_what_cannot_be_read_leaves_no_file(run, tmp_path, capsys):
    run(config.HalfSquare(), np.arange(12.0)[:, None], k=1)
    assert main(["predict", str(tmp_path), str(tmp_path / "nothing.csv")]) == 1
    assert "DATA: no such file or folder: " in capsys.readouterr().err
    (tmp_path / "new.csv").write_text("x0\n1\nNA\n")
    assert main(["predict", str(tmp_path), str(tmp_path / "new.csv")]) == 1
    assert "line 3, column 'x0': missing value (got 'NA')" in capsys.readouterr().err
    assert not list(tmp_path.glob("predictions*"))
    assert main(["predict", str(tmp_path)]) == 2
    assert "usage: python -m experiments predict RUN DATA" in capsys.readouterr().err


CONFIG = """
name = "flowers"
[data]
path = "flowers.csv"
target = "kind"
validation_fraction = 0.2
[[model.layers]]
kind = "dense"
units = 8
activation = "tanh"
[[model.layers]]
kind = "dense"
units = 2
[train]
epochs = 8
batch_size = 10
lr = 0.3
histograms = false
"""


def test_a_network_trained_on_a_table_knows_the_rows_of_another(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    length, red = rng.normal(5, 2, 100), rng.integers(0, 2, 100)
    kind = np.where(length + 4 * red > 7, "rose", "daisy")  # neither column alone decides it
    colour = np.where(red, "red", "white")
    lines = [",".join(map(str, row)) for row in zip(length, colour, kind, strict=True)]
    Path("flowers.csv").write_text("\n".join(["length,colour,kind", *lines[:80]]))
    Path("new.csv").write_text("\n".join(["length,colour,kind", *lines[80:]]))
    Path("flowers.toml").write_text(CONFIG)
    assert main(["run", "./flowers.toml", "--quiet"]) == 0
    capsys.readouterr()
    folder = Path("runs/0001-flowers")
    assert main(["predict", str(folder), "new.csv"]) == 0
    path = capsys.readouterr().out.strip()
    assert path == str(folder / "predictions-new.csv")
    header, *found = rows(Path(path))
    assert header == ["row", "predicted", "p(daisy)", "p(rose)"]
    right = np.array([row[1] for row in found]) == kind[80:]
    assert right.mean() >= 0.85
    assert {row[1] for row in found} == {"daisy", "rose"}
    np.testing.assert_allclose([float(row[2]) + float(row[3]) for row in found], 1, rtol=1e-8)
