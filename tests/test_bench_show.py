"""What is printed, written, shown again, put together and compared: all of it from one record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.bench import compare, method, readme, record, suite, table
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


def test_the_readme_shows_all_that_is_committed_for_one_core():
    text = readme.PAGE.read_text()
    assert readme.refreshed(text) == text, "python -m experiments.bench.readme"
    assert readme.refreshed(text.replace("backend cpu", "backend tpu")) == text
    for workload in record.read(record.find("one-core"))["workloads"]:
        assert table.body(workload) in text


def test_committed_files_are_small():
    for name in record.committed():
        assert record.find(name).stat().st_size < 300_000
