"""Sweeps that train: each cell is the run it stands for, and nothing is lost on the way."""

import argparse
import json

import pytest

from experiments.__main__ import main
from experiments.commands.sweep import resume
from experiments.common.runs import new_folder
from experiments.config.file import load
from experiments.sweeping.asked import grid
from experiments.sweeping.grid import cells
from experiments.sweeping.groups import groups
from experiments.training.run import run
from experiments.training.stored import open_run

PLAIN = "--train.no_histograms"  # saves the time to compile them


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """Data sets are cached in a folder of the tests, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("JAXNN_COMPILE_CACHE", "off")  # that of the tests is on


def sweep(out, *words):
    assert main(["sweep", *words, "--out", str(out)]) == 0
    (folder,) = out.iterdir()
    return folder


def flags(folder):
    return argparse.Namespace(run=folder, every=1, json=False, quiet=True)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def grouped(*words, seeds=None, overrides=()):
    found = cells(load("iris", list(overrides)), grid(words, seeds, {}, []))
    return [[int(cell.name[:4]) for cell in group] for group in groups(found)]


def test_cells_that_differ_in_numbers_alone_go_together():
    assert grouped("train.lr=1,2", "train.l2=0,1") == [[1, 2, 3, 4]]
    assert grouped("train.optimizer.b1=0,0.5", "train.patience=None,2") == [[1, 2, 3, 4]]
    assert grouped("train.batch_size=8,16", "train.lr=1,2") == [[1, 2], [3, 4]]
    assert grouped("model.layers.0.units=3,4", "train.lr=1,2") == [[1, 2], [3, 4]]
    assert grouped("train.epochs=1,2") == [[1], [2]]
    assert grouped('train.optimizer={kind="sgd"},{kind="adam"}') == [[1], [2]]
    # no momentum is another program than some; so is no clipping
    sgd = 'train.optimizer={kind="sgd"},{kind="sgd", momentum=0.5},{kind="sgd", momentum=0.9}'
    assert grouped(sgd) == [[1], [2, 3]]
    assert grouped("train.clip_norm=None,1,2") == [[1], [2, 3]]
    assert grouped("train.clip_examples=1,2", "train.noise=0,1") == [[1, 2, 3, 4]]
    kfac = 'train.optimizer={kind="kfac"},{kind="kfac", damping=1},{kind="kfac", every=2}'
    assert grouped(kfac) == [[1, 2], [3]]


def test_seeds_go_together_unless_each_has_company_of_its_own():
    assert grouped(seeds="3") == [[1, 2, 3]]
    assert grouped("train.lr=1,2", seeds="2") == [[1, 3], [2, 4]]


SETTINGS = {
    "rates": ["train.lr=0.02,0.1", "train.l2=0,0.01"],
    "seeds": ["--seeds", "2", PLAIN],
    "schedules": [
        PLAIN,
        'train.schedule={kind="plateau", patience=1},{kind="constant"}',
        "train.lr=0.3",
    ],
    "optimizers that draw": [
        PLAIN,
        'train.optimizer={kind="kfac", damping=0.1},{kind="kfac", damping=0.3}',
    ],
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_each_cell_is_what_a_run_of_its_config_gives(kind, tmp_path):
    folder = sweep(tmp_path / "sweep", "iris", *SETTINGS[kind], "--train.epochs", "4")
    places = sorted(path for path in folder.iterdir() if path.is_dir())
    assert len(places) == 4 if kind == "rates" else 2
    for place in places[-2:]:
        alone = new_folder(tmp_path / "runs", "iris")
        run(load(str(place / "config.toml"), []), alone)
        assert {p.name for p in place.iterdir()} == {p.name for p in alone.iterdir()}
        for ours, theirs in zip(lines(place), lines(alone), strict=True):
            # float32 sums in another order, over 4 epochs
            assert ours == pytest.approx(theirs, rel=1e-4)
        found = open_run(place)
        assert found.finished
        net, params = found.network()
        assert net.forward(params, open_data(found))[0].shape == (2, 3)


def open_data(found):
    from experiments.data import read

    return read(found.experiment.data, found.experiment.seed).x_test[:2]


REGULAR = """
    name = "regular"
    data = { name = "wine" }
    train = { epochs = 3, batch_size = 16, lr = 0.01, optimizer = { kind = "adam" } }
    sweep = { "train.lr" = [0.01, 0.02], "train.average" = [0.5, 0.9] }
    [[model.layers]]
    kind = "dense"
    units = 8
    bias = false  # in front of batch-norm its gradient is all rounding, which Adam makes steps of
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
"""


@pytest.mark.slow
def test_random_layers_statistics_weights_and_averages_are_those_of_a_run(tmp_path):
    path = tmp_path / "regular.toml"
    path.write_text(REGULAR)
    words = ["--train.class_weights", "1", "2", "3", "--train.clip_norm", "1", "--seed", "3"]
    folder = sweep(tmp_path / "sweep", str(path), *words)
    assert len(json.loads((folder / "results.json").read_text())["cells"]) == 4
    place, alone = folder / "0002-regular", new_folder(tmp_path / "runs", "regular")
    run(load(str(place / "config.toml"), []), alone)
    for ours, theirs in zip(lines(place), lines(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_cells_are_split_up_where_memory_is_short(tmp_path, monkeypatch):
    words = ["iris", "train.lr=0.02,0.1", "--train.epochs", "2", PLAIN]
    together = sweep(tmp_path / "together", *words)
    monkeypatch.setattr("experiments.sweeping.together.WIDEST", 1)
    apart = sweep(tmp_path / "apart", *words)
    for name in ("0001-iris", "0002-iris"):
        for ours, theirs in zip(lines(together / name), lines(apart / name), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-4)


def test_the_table_ranks_cells_and_settings(tmp_path, capsys):
    words = ["train.lr=0.0001,0.05", "--seeds", "2", "--train.epochs", "3", PLAIN]
    folder = sweep(tmp_path, "iris", *words, "--data.validation_fraction", "0.2")
    said = capsys.readouterr().out
    assert "4 cells to train, together in 2 groups" in said
    assert said.rstrip().splitlines()[-1].startswith(f"{folder}  (4 runs")
    assert (folder / "table.txt").read_text().strip() in said
    assert "ranked by validation loss\n" in said
    assert " ± " in said
    found = json.loads((folder / "results.json").read_text())
    assert found["by"] == "validation_loss"
    losses = [cell["metrics"]["validation_loss"] for cell in found["cells"]]
    assert losses == sorted(losses)
    best, worst = found["settings"]
    assert (best["values"], best["runs"]) == ({"train.lr": 0.05}, ["0003-iris", "0004-iris"])
    assert worst["values"] == {"train.lr": 0.0001}
    two = [lines(folder / name)[-1]["validation_loss"] for name in best["runs"]]
    assert best["mean"]["validation_loss"] == pytest.approx(sum(two) / 2)
    assert best["std"]["validation_loss"] == pytest.approx(abs(two[0] - two[1]) / 2**0.5)


def test_choosing_by_test_scores_is_said_to_flatter(tmp_path, capsys):
    sweep(tmp_path, "iris", "train.lr=0.01,0.02", "--train.epochs", "1", "--by", "accuracy", PLAIN)
    said = capsys.readouterr().out
    assert "ranked by test accuracy: a choice by test scores makes them too good" in said
    assert "--data.validation_fraction 0.2" in said


def test_a_cell_that_diverges_is_marked_and_the_others_go_on(tmp_path, capsys):
    words = ["diabetes", "train.lr=0.01,1e30", "--train.epochs", "3", PLAIN]
    folder = sweep(tmp_path, *words)
    table = (folder / "table.txt").read_text()
    rows = [line.split() for line in table.splitlines() if line.startswith(" 000")]
    assert [row[0] for row in rows] == ["0001-diabetes", "0002-diabetes"]
    assert rows[1][-1] == "diverged"
    assert len(lines(folder / "0001-diabetes")) == 3
    assert f"where one diverged: python -m experiments resume {folder}/0002-diabetes" in table
    assert resume(flags(folder)) == 0  # and it stays over
    assert (folder / "table.txt").read_text() == table


def test_patience_ends_one_cell_and_not_the_others(tmp_path):
    words = ["iris", "train.patience=1,None", "train.lr=0.5", "--train.epochs", "8", PLAIN]
    folder = sweep(tmp_path, *words)
    stopped, whole = lines(folder / "0001-iris"), lines(folder / "0002-iris")
    assert len(stopped) < len(whole) == 8
    assert stopped == whole[: len(stopped)]
    assert open_run(folder / "0001-iris").finished


def test_networks_that_do_not_fit_are_refused_before_anything_is_trained(tmp_path, capsys):
    words = ["sweep", "iris", "model.layers.1.units=3,4", "--out", str(tmp_path / "runs")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "sweep: cells that cannot be trained" in said
    assert "expected 3 outputs" in said
    assert "in 0002-iris" in said
    assert list((tmp_path / "runs").iterdir()) == []


def test_json_is_one_object_a_line(tmp_path, capsys):
    folder = sweep(tmp_path, "iris", "train.lr=0.01,0.02", "--train.epochs", "2", PLAIN, "--json")
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("run") for line in said[:-1]] == ["0001-iris", "0002-iris"] * 2
    assert [line["epoch"] for line in said[:-1]] == [1, 1, 2, 2]
    assert said[-1]["folder"] == str(folder)
