"""What a sweep is asked for: its grid, its cells, and what is refused before it starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.common.failures import ConfigError
from experiments.config import Dense
from experiments.config.file import load, sweep_table
from experiments.config.toml import to_toml
from experiments.sweeping.asked import grid, split_words
from experiments.sweeping.grid import cells, label, varying
from experiments.sweeping.ranking import Metric, metric


def of_iris(*words, seeds=None, table=(), overrides=()):
    asked = grid(words, seeds, dict(table), overrides)
    return cells(load("iris", list(overrides)), asked)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("train.lr=0.03,0.1", [0.03, 0.1]),
        ("train.lr=1e-3, 1", [0.001, 1]),
        ("train.monitor=loss,accuracy", ["loss", "accuracy"]),
        ("train.histograms=true,false", [True, False]),
        ("train.clip_norm=None,1", [None, 1]),
        ('train.metrics=[],["f1", "auc"]', [[], ["f1", "auc"]]),
        ('train.optimizer={kind="sgd"},{kind="adam", b1=0.8}',
         [{"kind": "sgd"}, {"kind": "adam", "b1": 0.8}]),
    ],
)  # fmt: skip
def test_values_are_read_as_toml_where_they_are_else_as_words(word, values):
    (found,) = grid([word], None, {}, []).values()
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]
    assert len(of_iris(word)) == len(values)


def test_the_last_key_changes_fastest_and_seeds_come_last():
    found = of_iris("seed=5,6", "train.lr=0.1,0.2", "model.layers.0.units=3,4")
    assert [cell.name for cell in found] == [f"000{i}-iris" for i in range(1, 9)]
    assert label(found[1].values) == "train.lr=0.1 model.layers.0.units=3 seed=6"
    layers = [cell.experiment.model.layers[0] for cell in found]
    assert [layer.units for layer in layers if isinstance(layer, Dense)] == [3, 3, 4, 4] * 2
    assert [cell.experiment.seed for cell in found] == [5, 6] * 4
    assert {cell.experiment.train.lr for cell in found[:4]} == {0.1}


def test_equal_cells_are_trained_once():
    found = of_iris("train.lr=1,1.0,2", "train.l2=0")
    assert [cell.experiment.train.lr for cell in found] == [1.0, 2.0]
    assert varying(found) == ["train.lr"]


@pytest.mark.parametrize(
    ("seeds", "numbers"), [("3", [0, 1, 2]), ("0,3,7", [0, 3, 7]), ("4,", [4])]
)
def test_seeds_are_how_many_or_which(seeds, numbers):
    assert grid([], seeds, {}, []) == {"seed": numbers}


def test_words_and_overrides_replace_the_table_key_by_key():
    table = {"seed": [8, 9], "train.lr": [1, 2], "train.l2": [0, 1], "train.batch_size": [3]}
    overrides = ["--train.l2", "5", "--train.batch-size=16"]
    assert grid(["train.lr=7"], None, table, overrides) == {"train.lr": [7], "seed": [8, 9]}
    assert grid([], "2", table, [])["seed"] == [0, 1]


def test_words_of_the_grid_are_told_from_the_others():
    words = ["iris", "train.lr=1,2", "--train.epochs", "3", "--data.path=a=b.csv", "--seeds", "2"]
    ours, others = split_words(words)
    assert ours == ["train.lr=1,2"]
    assert others == [word for word in words if word != "train.lr=1,2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train.optimizer.kind=sgd", "train.optimizer.kind: a kind cannot be changed by itself"),
        ("train.lrr=1", "train.lrr: unknown key, did you mean 'lr'? (got 1)"),
        ("trian.lr=1", "trian: unknown key, did you mean 'train'?"),
        ("model.layers.9.units=3", "model.layers.9.units: model.layers has the entries 0 to"),
        ("model.layers.x.units=3", "has the entries 0 to"),
        ("train.lr.x=1", "train.lr.x: train.lr is no table, it has no key 'x'"),
        (
            "train.optimizer={kind=1} train.optimizer.b1=0",
            "train.optimizer.b1: is inside train.opt",
        ),
        ("train.lr=", "train.lr: expected values behind '=', such as 0.03,0.1 (got '')"),
        ("train.lr=1 train.lr=2", "train.lr: given twice; put all its values behind one"),
        ("train.lr=1 --train.lr 2", "train.lr: given twice, as train.lr= and as --train.lr"),
        ("seed=1 --seeds 2", "seed: given twice, as seed= and as --seeds"),
        ("--seeds 0", "--seeds: expected how many, 5, or which, 0,3,7 (got '0')"),
        ("--seeds x", "(got 'x')"),
        ("", "nothing to sweep over: give keys and values"),
        ("train.lr=1 --by f1", "--by: unknown metric 'f1', known: loss, accuracy, r2"),
        ("train.lr=1 --by accuracyy", "unknown metric 'accuracyy', did you mean 'accuracy'?"),
        ("train.lr=1 --by validation_loss", "nothing is held back for it; set data.validation_fr"),
    ],
)
def test_what_is_no_sweep_ends_with_status_2_and_leaves_nothing(words, message, tmp_path, capsys):
    assert main(["sweep", "iris", *words.split(), "--out", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert not (tmp_path / "runs").exists()


def test_the_problems_of_all_cells_come_at_once_with_the_cells_they_are_in():
    with pytest.raises(ConfigError) as caught:
        of_iris("train.lr=-1,0.1", "train.optimizer.b1=0,2", "train.l2=0,-5")
    assert str(caught.value).splitlines() == [
        "sweep: 3 problems",
        "  train.lr: expected a number greater than 0 (got -1), "
        "in train.lr=-1 train.optimizer.b1=0 train.l2=0 and 3 more cells",
        "  train.l2: expected a number of at least 0 (got -5), "
        "in train.lr=-1 train.optimizer.b1=0 train.l2=-5 and 3 more cells",
        "  train.optimizer.b1: expected a number less than 1 (got 2), "
        "in train.lr=-1 train.optimizer.b1=2 train.l2=0 and 3 more cells",
    ]


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(to_toml(load("iris", [])) + text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize("line", ['"train.lr" = [0.03, 0.1]', "train.lr = [0.03, 0.1]"])
def test_a_table_of_the_file_is_a_grid_and_no_part_of_the_config(line, config):
    path = config(f"[sweep]\n{line}\nseed = [0, 1]\n")
    assert sweep_table(path) == {"train.lr": [0.03, 0.1], "seed": [0, 1]}
    assert load(path, []) == load("iris", [])
    assert sweep_table("iris") == {}


@pytest.mark.parametrize("line", ["seed = 3", "seed = []", '"train.lr" = "0.1"'])
def test_a_table_without_arrays_is_refused(line, config):
    path = config(f"[sweep]\n{line}\n")
    with pytest.raises(ConfigError, match=r"sweep\.[a-z.]+: expected an array of values \(got"):
        sweep_table(path)


def test_what_to_rank_by():
    plain = of_iris("train.lr=0.1,0.2")
    held = of_iris("train.lr=0.1,0.2", overrides=["--data.validation_fraction", "0.2"])
    assert metric(None, plain) == Metric("test", "loss")
    assert metric(None, held) == Metric("validation", "loss")
    assert metric("accuracy", held) == Metric("validation", "accuracy")
    assert metric("test_accuracy", held) == Metric("test", "accuracy")
    assert metric(None, of_iris("train.monitor=accuracy")) == Metric("test", "accuracy")
    with pytest.raises(ConfigError, match="unknown metric 'r2', known: loss, accuracy"):
        metric("r2", plain, classes=True)


def test_cells_are_checked_without_jax(tmp_path):
    code = (
        "import sys; from experiments.__main__ import main; "
        "status = main(['sweep', 'digits', 'train.lr=-1,0.1', '--seeds', '2']); "
        "print(status, 'jax' in sys.modules)"
    )
    folder = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.stdout == "2 False\n"
    assert done.stderr.startswith("sweep: 1 problem\n  train.lr: expected a number greater than 0")
