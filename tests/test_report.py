"""The page about a run: what is on it, that it needs nothing else, that no name is taken for
markup."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.config.file import load
from experiments.report import curves
from experiments.report.markup import text
from experiments.report.run_page import report
from experiments.report.source import source
from experiments.report.words import facts
from tests.report_runs import Page, changed, digits_run, recorded

SECTIONS = ["config", "curves", "confusions", "mistakes", "weights", "histograms", "check", "more"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_run(tmp_path_factory)


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(report(run))


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """The run once more, for tests that damage it."""
    return Path(shutil.copytree(run, tmp_path / "0001-digits"))


def test_a_page_has_every_section_and_a_link_to_each(page: Page):
    assert [a["id"] for a in page.all("section")] == [*SECTIONS, "environment"]
    assert [a["href"] for a in page.all("a")] == [f"#{name}" for name in [*SECTIONS, "environment"]]
    assert "Every gradient agrees" in page.text
    assert "Judged by the loss of the validation part, epoch 2 is the best." in page.text
    assert "17,226 parameters" in page.text


def test_a_page_loads_nothing_and_runs_nothing(page: Page):
    assert page.outward() == []
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    assert not re.search(r"https?:|\son\w+=", page.source)
    (policy,) = (a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_search_for_what_a_page_loads_finds_it(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text('<style>@import "x"; p {background: url("//b")}</style><img src="http://a">')
    assert Page(path).outward() == ["http://a", "//b", '"x";']


def test_references_inside_the_page_are_to_ids_that_are_there(page: Page):
    inner = [a["href"][1:] for _, a in page.tags if a.get("href", "").startswith("#")]
    inner += re.findall(r"url\(#([^)]*)\)", page.source)
    assert inner
    assert set(inner) <= set(page.ids)


def test_every_picture_says_what_it_shows(page: Page):
    assert len(page.all("svg")) > 10
    assert all(a["aria-label"] and a["role"] == "img" for a in page.all("svg"))
    assert all(a["alt"] for a in page.all("img"))
    assert len([a for a in page.all("img") if a["alt"].startswith("weights of unit")]) == 64
    assert any(a["aria-label"].startswith("deltas of 2 Dense") for a in page.all("svg"))


def test_colours_of_figures_follow_the_page(page: Page):
    drawn = page.source[page.source.index("<svg") :]
    assert "var(--blue)" in drawn
    assert not re.search("#0[123]0[123]0[123]", drawn)
    assert "font-family" not in drawn


def test_keys_that_were_set_come_first_and_the_defaults_are_folded(page: Page):
    shown, folded = page.source.split("keys at their defaults", 1)
    assert "<dt>train.epochs</dt><dd><code>2</code>" in shown
    assert "train.clip_norm" not in shown
    assert "<dt>train.clip_norm</dt><dd><code>not set</code>" in folded


def test_the_page_of_the_best_epoch_says_so(copy: Path):
    lines = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    lines[1]["validation_loss"] = 9.0  # as if the first had been the best
    (copy / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    best = Page(report(copy, best=True, check=False))
    assert f"loss {lines[0]['test_loss']:.4g}" in best.text
    assert "this is epoch 1, the best" in best.text


def test_an_unfinished_run_gets_what_is_there_and_the_way_on(copy: Path):
    (copy / "parameters.safetensors").unlink()
    page = Page(report(copy, check=False))
    assert (
        f"Unfinished: 2 of 2 epochs. Go on with: python -m experiments resume {copy}" in page.text
    )
    assert [a["id"] for a in page.all("section")] == [
        *(name for name in SECTIONS if name != "check"), "environment"
    ]  # fmt: skip


def test_the_page_of_an_unfinished_run_is_about_the_epoch_that_was_saved(copy: Path):
    (copy / "parameters.safetensors").unlink()
    lines = [json.loads(line) for line in (copy / "metrics.jsonl").read_text().splitlines()]
    with (copy / "metrics.jsonl").open("a") as file:  # a third epoch, before its checkpoint
        file.write(
            json.dumps({**lines[1], "epoch": 3, "validation_loss": 9.0, "test_loss": 9.0}) + "\n"
        )
    found = source(copy, best=False)
    assert found.line == lines[1]
    assert "this is epoch 2, the best" in facts(found, None, [])
    assert "the last that was saved" in facts(found._replace(best=3), None, [])
    assert found.network is not None


def test_a_run_without_an_epoch_gets_its_config(tmp_path: Path):
    page = Page(report(recorded(tmp_path / "0001-x", load("iris", []), []), check=False))
    assert [a["id"] for a in page.all("section")] == ["config"]
    assert "No result yet" in page.text


def test_numbers_that_are_none_are_left_out_of_the_curves(tmp_path: Path):
    line = {"epoch": 1, "objective": "nan", "train_loss": "inf", "test_loss": 0.0}
    folder = recorded(tmp_path / "0001-x", load("iris", []), [{**line, "test_accuracy": 0.5}] * 2)
    page = Page(report(folder, check=False))
    assert "Test accuracy 50.00%" in page.text
    assert "data.json: cannot be read" in page.text
    found = curves.grouped([line])
    assert found == {"loss": {"test": ([1], [0.0])}}


HOSTILE = ("<script>alert(1)</script>", 'quiet" onload="alert(2)')


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run on a table whose classes and columns look like markup, and the table."""
    from experiments.training.run import run

    folder = tmp_path_factory.mktemp("own")
    lines = ["<b>width&,</td>,kind"]
    lines += [f"{i % 7},{i},{'ab'[i % 2]}" for i in range(40)]
    table = "\n".join(lines)
    for letter, name in zip("ab", HOSTILE, strict=True):
        quoted = name.replace('"', '""')
        table = re.sub(rf",{letter}$", lambda _, q=quoted: f',"{q}"', table, flags=re.MULTILINE)
    path = folder / "table.csv"
    path.write_text(table + "\n")
    experiment = changed(
        load("iris", []),
        data={"name": None, "path": str(path), "target": "kind"},
        train={"epochs": 1},
    )
    *first, last = experiment.model.layers
    layers = (*first, dataclasses.replace(last, units=2))
    experiment = changed(experiment, model={"layers": layers})
    made = folder / "0001-own"
    made.mkdir()
    run(experiment, made)
    return made, path


def test_names_from_the_data_are_never_markup(hostile: tuple[Path, Path]):
    page = Page(report(hostile[0], check=False))
    for name in (*HOSTILE, "<b>width&"):
        assert name in page.text
        assert name not in page.source
        assert text(name) in page.source
    assert page.all("script") == page.all("b") == []
    assert not any(key.startswith("on") for _, found in page.tags for key in found)


def test_the_same_run_gives_the_same_bytes(hostile: tuple[Path, Path]):
    folder, _ = hostile
    before = report(folder, check=False).read_bytes()
    assert report(folder, check=False).read_bytes() == before
    assert not list(folder.glob(".*"))


def test_data_that_moved_are_left_out_with_the_reason(hostile: tuple[Path, Path], tmp_path: Path):
    folder, path = hostile
    aside = path.rename(tmp_path / "elsewhere.csv")
    try:
        page = Page(report(folder))
    finally:
        aside.rename(path)
    sections = [a["id"] for a in page.all("section")]
    assert "mistakes" not in sections
    assert "curves" in sections
    assert re.search("Left out: what needs the network and its data. .*no such file", page.text)
    assert re.search("Not made. .*no such file", page.text)


def test_data_that_changed_are_not_taken_for_those_of_the_run(hostile: tuple[Path, Path]):
    folder, path = hostile
    before = path.read_text()
    path.write_text(before.replace("\n1,", "\n2,", 1))
    try:
        page = Page(report(folder, check=False))
    finally:
        path.write_text(before)
    assert "they have changed since" in page.text


def test_the_command_ends_with_the_path(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["report", str(run), "--no-check"]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    assert 'id="check"' not in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [("", "required: RUN"), ("nothing", "no such run folder"), (".", "not the folder of a run")],
)
def test_what_is_no_run_is_refused(
    words: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
