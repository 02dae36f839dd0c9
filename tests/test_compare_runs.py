"""Runs side by side: which keys differ, how they rank, what the page shows of them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.config import SGD, Adam
from experiments.config.file import load
from experiments.config.flat import changed as set_keys, differing, flat
from experiments.report.comparison import comparison, default_path, open_runs
from tests.report_runs import Page, changed, recorded

IRIS = load("iris", [])


def lines(*losses: float, part: str = "validation") -> list[dict[str, Any]]:
    """Metrics of epochs with these losses of the validation part."""
    return [
        {"epoch": i, "objective": 1.0, "train_loss": 0.4, "train_accuracy": 0.7,
         f"{part}_loss": loss, f"{part}_accuracy": 1 - loss / 10,
         "test_loss": loss + 0.25, "test_accuracy": 0.5}
        for i, loss in enumerate(losses, 1)
    ]  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of three runs that differ in the rate, of which the second gets furthest down."""
    for number, lr, losses in ((1, 0.1, (3.0, 2.0)), (2, 0.01, (0.5, 0.75)), (3, 0.5, (9.0, 8.0))):
        experiment = changed(IRIS, train={"lr": lr, "epochs": 2})
        recorded(tmp_path / f"000{number}-iris", experiment, lines(*losses))
    return tmp_path


def test_a_config_is_flat_under_the_keys_of_the_command_line():
    found = flat(IRIS)
    assert found["train.optimizer.kind"] == IRIS.train.optimizer.kind
    assert found["train.metrics"] == ()
    assert flat(load("iris", ["--model.layers.0.units", "3"]))["model.layers.0.units"] == 3


def test_keys_that_were_set_are_those_off_their_defaults():
    experiment = changed(
        IRIS, train={"optimizer": SGD(), "l2": 0.5, "clip_norm": None}, data={"test_fraction": 0.2}
    )
    found = set_keys(experiment)
    assert found["train.l2"] == 0.5
    assert not {"train.clip_norm", "data.test_fraction", "train.optimizer.kind", "seed"} & set(
        found
    )
    assert {"name", "data.name", "model.layers.0.kind", "train.lr"} <= set(found)
    found = set_keys(changed(IRIS, train={"optimizer": Adam(b1=0.5)}))
    assert {k: v for k, v in found.items() if "optimizer" in k} == {
        "train.optimizer.kind": "adam", "train.optimizer.b1": 0.5
    }  # fmt: skip


def test_keys_differ_where_a_value_does_or_a_config_lacks_them():
    sgd, adam = (changed(IRIS, train={"optimizer": o}) for o in (SGD(momentum=0.5), Adam()))
    assert differing([flat(sgd), flat(sgd)]) == []
    assert differing([flat(sgd), flat(adam)]) == [
        f"train.optimizer.{key}" for key in ("kind", "momentum", "nesterov", "b1", "b2", "eps")
    ]


def test_flattening_needs_no_jax():
    code = "import sys, experiments.config.flat; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_best_comes_first_with_the_keys_that_differ_and_no_others(runs: Path):
    found = comparison(open_runs([runs]))
    assert found.head == ["run", "train.lr", "epochs", "validation loss", "best", "at epoch",
                          "test loss", "test accuracy"]  # fmt: skip
    assert found.rows == [
        ["0002-iris", "0.01", "2", "0.7500", "0.5000", "1", "1", "50.00%"],
        ["0001-iris", "0.1", "2", "2.0000", "2.0000", "2", "2.25", "50.00%"],
        ["0003-iris", "0.5", "2", "8.0000", "8.0000", "2", "8.25", "50.00%"],
    ]
    assert found.remarks == []


def test_a_monitored_score_ranks_from_the_highest_down(runs: Path):
    for folder in runs.iterdir():
        config = folder / "config.toml"
        config.write_text(config.read_text().replace('monitor = "loss"', 'monitor = "accuracy"'))
    found = comparison(open_runs([runs]))
    assert found.head[3] == "validation accuracy"
    assert [row[4] for row in found.rows] == ["95.00%", "80.00%", "20.00%"]


def test_runs_that_did_not_end_or_begin_say_so_and_come_where_they_belong(runs: Path):
    experiment = changed(IRIS, train={"epochs": 9})
    recorded(runs / "0004-iris", experiment, lines(0.25))
    recorded(runs / "0005-iris", experiment, [])
    rows = comparison(open_runs([runs])).rows
    assert [row[0] for row in rows] == [f"000{i}-iris" for i in (4, 2, 1, 3, 5)]
    assert (rows[0][3], rows[4][3]) == ("1 of 9", "0 of 9")
    assert rows[4][4:] == [""] * 5


def test_without_validation_in_all_of_them_the_training_part_ranks(runs: Path):
    recorded(runs / "0004-iris", IRIS, lines(0.1, part="other"))
    assert "train loss" in comparison(open_runs([runs])).head


def test_equal_configs_differing_data_and_losses_are_remarked(tmp_path: Path):
    for name in "ab":
        recorded(tmp_path / name, IRIS, lines(1.0))
    assert comparison(open_runs([tmp_path])).remarks == ["No key differs between the configs."]
    other = load("nielsen_quadratic", [])
    recorded(tmp_path / "c", other, lines(1.0))
    assert any("different functions" in line for line in comparison(open_runs([tmp_path])).remarks)


def test_runs_of_the_same_name_are_told_apart_by_their_paths(runs: Path, tmp_path: Path):
    other = Path(shutil.copytree(runs / "0001-iris", tmp_path / "more" / "0001-iris"))
    found = comparison(open_runs([runs / "0001-iris", other, other]))
    assert sorted(found.names) == sorted([str(runs / "0001-iris"), str(other)])


def test_the_command_prints_the_table_and_ends_with_the_path(
    runs: Path, capsys: pytest.CaptureFixture[str]
):
    folders = [str(runs / f"000{i}-iris") for i in (3, 1)]
    assert main(["compare", *folders]) == 0
    head, first, second, path = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["run", "train.lr", "epochs"]
    assert (first.split()[0], second.split()[0]) == ("0001-iris", "0003-iris")
    assert path == str(runs / "compare-0001-0003.html")
    assert Path(path).exists()


def test_a_table_with_many_keys_is_turned(runs: Path, capsys: pytest.CaptureFixture[str]):
    recorded(runs / "0004-digits", load("digits", []), lines(1.0))
    assert main(["compare", str(runs), "--out", str(runs / "all.html")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["run", "0002-iris", "0004-digits", "0001-iris", "0003-iris"]
    assert printed[-1] == str(runs / "all.html")


def test_where_a_comparison_goes(runs: Path):
    made = open_runs([runs])
    folders = [run.folder for run in made]
    assert default_path([runs], made) == runs / "compare.html"
    assert default_path(folders, made) == runs / "compare-0001-0002-0003.html"
    assert default_path(folders, [*made, *made]) == runs / "compare-0001-to-0003.html"


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        ("", ["required: RUN"]),
        ("0001-iris", ["two or more runs to compare, got 1"]),
        ("0001-iris 0001-iris", ["two or more runs to compare, got 1"]),
        (
            "0001-iris none empty",
            ["  none: no such folder", "  empty: not a run, and no runs in it"],
        ),
        ("0001-iris 0002-iris --out x.toml", ["ends in .html (got 'x.toml')"]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    words: str, messages: list[str], runs: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(runs)
    (runs / "empty").mkdir()
    assert main(["compare", *words.split()]) == 2
    said = capsys.readouterr().err
    assert all(message in said for message in messages)
    assert not list(runs.glob("*.html"))


def test_the_page_has_the_table_and_every_curve_and_loads_nothing(runs: Path, capsys):
    hostile = runs / "0004-<b>&"
    recorded(hostile, IRIS, lines(0.1, 0.2))
    assert main(["compare", str(runs)]) == 0
    page = Page(runs / "compare.html")
    assert page.outward() == page.all("script") == page.all("b") == []
    assert "https:" not in page.source
    assert "Best by validation loss: 0004-<b>&" in page.text
    assert len(page.all("tr")) == 5
    alts = [a["aria-label"] for a in page.all("svg")]
    assert len(alts) == 6
    assert "0002-iris from 0.5 to 0.75" in alts[1]
    shades = {a["style"] for a in page.all("span")}
    assert shades == {f"background: var(--{name})" for name in
                      ("blue", "vermilion", "green", "purple")}  # fmt: skip
