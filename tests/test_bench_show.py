"""What is printed, written, shown again, put together and compared: all of it from one record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.bench import compare, method, publish, record, suite, table
from experiments.bench.method import races
from experiments.bench.workload import Case, Contender, Goal, Row, Workload, ratio

ROOT = Path(__file__).parent.parent
PEER = Contender("missing", "peer", lambda inputs: lambda: 2 * inputs, needs="no_such_package")


def small(number):
    """A workload of microseconds that has a goal of that number."""

    def contender(name, role: Any):
        return Contender(name, role, lambda inputs: lambda: 2 * inputs)

    ours, autodiff = contender("by hand", "ours"), contender("autodiff", "idiomatic")
    case = Case("a case", lambda rng: rng.normal(), (ours, autodiff, PEER), rate=(3, "numbers/s"))
    goals = (Goal(number, "never slower", ">= 0", lambda found: found.speed("a case", "ours")),)
    return Workload("a workload", "Why it matters.", races(lambda quick: [case]), goals)


@pytest.fixture
def bench(monkeypatch, tmp_path, capsys):
    """Runs `bench` with words and FILE for a path; (status, what it printed, and on stderr)."""
    small_ones = {"mlp": small(7), "losses": small(8)}
    monkeypatch.setattr(suite, "load", lambda name: small_ones[name])

    def run(words):
        status = main(["bench", *words.replace("FILE", str(tmp_path / "a.json")).split()])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def written(bench, tmp_path):
    """(what `bench mlp` printed, the file it wrote)."""
    status, said, _ = bench("mlp --quick --json FILE")
    assert status == 0
    return said, tmp_path / "a.json"


def test_the_command_prints_tables_and_writes_all_of_it(written):
    said, file = written
    for text in ("a workload", "Why it matters.", "by hand", "never slower", "met", "allocator"):
        assert text in said
    assert "missing (peer)\n" in said  # an empty row
    found = json.loads(file.read_text())
    (workload,) = found["workloads"]
    assert workload["goals"][0]["verdict"] == "met"
    assert len(workload["cases"][0]["rows"][0]["wall"]) >= method.FEWEST
    assert workload["others"] is None or 0 <= workload["others"] <= 1


def test_a_file_shows_what_its_run_printed(written, bench):
    said, file = written
    shown = bench("show FILE")
    assert shown == (0, said.removesuffix(f"{file}\n"), "")
    assert bench("show FILE mlp") == shown
    status, goals, _ = bench("show FILE --goals")
    assert status == 0
    assert goals.startswith(table.head(record.read(file)))
    assert "never slower" in goals
    assert "by hand" not in goals
    assert bench("show FILE --losses")[1].endswith("Where we lose:\nmlp\n  nowhere here\n")
    both = bench("show FILE --goals --losses --tables")[1]
    assert both.startswith(goals)
    assert both.endswith(said.split("\n\n", 1)[1].removesuffix(f"{file}\n"))


def test_several_runs_are_put_together_in_the_order_of_the_goals(written, bench):
    _, file = written
    before = record.read(file)["workloads"][0]
    assert bench("losses --quick --json FILE --add")[0] == 0
    first, second = record.read(file)["workloads"]
    assert (first, second["name"]) == (before, "losses")
    assert bench("mlp --quick --json FILE --add")[0] == 0
    again, other = record.read(file)["workloads"]
    assert again["name"] == "mlp"
    assert again != before
    assert other == second
    assert bench("losses --quick --json FILE")[0] == 0
    assert [workload["name"] for workload in record.read(file)["workloads"]] == ["losses"]


@pytest.mark.parametrize(
    ("part", "changes", "said"),
    [
        ("machine", {"processor": "another"}, "processor: expected another, as there, got"),
        ("machine", {"cores": 99}, "cores: expected 99, as there, got"),
        ("machine", {"versions": {"jax": "0.1"}}, "versions: expected {'jax': '0.1'}, as there"),
        ("settings", {"quick": False}, "quick: expected False, as there, got True"),
    ],
)
def test_nothing_is_added_to_another_machine(written, bench, monkeypatch, part, changes, said):
    _, file = written
    found = record.read(file)
    record.write(file, found | {part: found[part] | changes})
    monkeypatch.setattr(suite, "measure", lambda *_: 1 / 0)
    status, _, error = bench("losses --quick --json FILE --add")
    assert status == 2
    assert "cannot --add" in error
    assert said in error


def test_what_cannot_be_shown_is_refused(bench, written):
    _, file = written
    for words, said in (
        ("show FILE mpl", "no workload there is called 'mpl', did you mean 'mlp'?: mlp"),
        ("show one-cor", "no committed results are called 'one-cor', did you mean 'one-core'?"),
        ("show nowhere.json", "cannot read nowhere.json: No such file"),
        ("mlp --add", "--add expects a file to add to"),
        ("mlp --json no/where.json", "expected a folder no that exists"),
    ):
        status, _, error = bench(words)
        assert status == 2
        assert said in error
    whole = record.read(file)
    for broken in ([1], {}, whole | {"machine": {}}, whole | {"workloads": [{"name": "mlp"}]}):
        file.write_text(json.dumps(broken))
        for words in ("show FILE", "compare FILE one-core", "mlp --json FILE --add"):
            status, _, error = bench(words)
            assert status == 2
            assert "expected what `bench --json FILE` writes" in error


def test_two_runs_are_compared(written, bench, tmp_path):
    _, file = written
    found = record.read(file)
    found["machine"]["processor"] = "another"
    rows = found["workloads"][0]["cases"][0]["rows"]
    for clock in ("wall", "cpu"):  # of the baseline
        rows[1][clock] = [2 * seconds for seconds in rows[1][clock]]
    other = tmp_path / "b.json"
    record.write(other, found)
    ours, *_ = compare.pairs(record.read(file), record.read(other))
    assert ours.place == ("mlp", "a case", "by hand")
    assert ratio(*reversed(ours.speeds)) == pytest.approx(2)
    status, said, _ = bench(f"compare FILE {other}")
    assert status == 0
    assert "note: not the same processor" in said
    assert "2.00" in said


def test_committed_results_are_compared_by_name(bench):
    status, said, _ = bench("compare one-core one-core")
    assert status == 0
    assert "note" not in said
    (workload, *_), *_ = record.outcomes(record.read(record.find("one-core")))
    assert workload in said


def test_numbers_are_rounded_before_they_are_shown(tmp_path):
    outcome = method.Outcome("a case", [Row("r", "ours", [1 / 3], [2 / 3], {"k": 1 / 7})])
    case = record.case_of(outcome)
    assert case["rows"][0] == {
        "name": "r",
        "role": "ours",
        "wall": [0.3333],
        "cpu": [0.6667],
        "figures": {"k": 0.142857},
    }
    file = tmp_path / "r.json"
    record.write(file, {"cases": [case]})
    assert '"wall": [0.3333],' in file.read_text()
    (read,) = json.loads(file.read_text())["cases"]
    assert record.outcome_of(read).rows == record.outcome_of(case).rows


def test_results_are_shown_without_jax_and_fit_a_page():
    code = "import sys; from experiments.__main__ import main; main(['bench', 'show', 'one-core'])"
    code += "; print(sorted({'jax', 'rich', 'torch', 'sklearn'} & {*sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    *lines, last = done.stdout.splitlines()
    assert last == "[]"
    for line in lines:
        assert line == line.rstrip()
        assert len(line) <= 110


def test_the_page_and_the_files_beside_the_results_show_what_is_committed():
    pages = publish.pages()
    assert {path.stem for path in pages} == {"README", *record.committed()}
    for path, text in pages.items():
        assert path.read_text() == text, "python -m experiments bench publish"
    for name in record.committed():
        for workload in record.read(record.find(name))["workloads"]:
            assert table.body(workload) in pages[record.FOLDER / f"{name}.txt"]


def test_publishing_writes_the_page_and_a_file_for_each_results(monkeypatch, tmp_path, bench):
    page, results = publish.PAGE.read_text(), record.find("one-core").read_bytes()
    monkeypatch.setattr(publish, "PAGE", tmp_path / "README.md")
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    publish.PAGE.write_text(page.replace("missed\n", "met\n").replace("mlp\n", ""))
    (tmp_path / "one-core.json").write_bytes(results)
    assert bench("publish") == (0, f"{publish.PAGE}\n{tmp_path / 'one-core.txt'}\n", "")
    assert publish.PAGE.read_text() == page
    assert bench("show one-core --goals --losses --tables")[1] == (
        tmp_path / "one-core.txt"
    ).read_text(encoding="utf-8")


def test_committed_files_are_small():
    for name in record.committed():
        assert record.find(name).stat().st_size < 300_000
