"""`bench mutants`: which mistakes are planted, where, and what becomes of them."""

import pytest

from experiments.__main__ import main
from experiments.bench.mutants import Copy, Index, Site, draw, judged, modules_of
from experiments.bench.mutations import mutants

SNIPPET = '''"""Not 0, nor 1 + 1."""

@cached(size=5)
def f(x: Array[3], n: int = 0) -> Array[4]:
    """True + 1 is not False."""
    y: Array[2] = g(x, axis=1, **options)
    if not x and n < 2.5:
        é = f"{n + 1}"; return é * (x - y)
    n += 3
    return h(True)
'''
TOY = "def larger(a, b):\n    return a if a > b else b\n\n\ndef half(a):\n    return a / 2\n"
TOY_TEST = "from toy.numbers import larger\n\n\ndef test_it():\n    assert larger(2, 1) == 2\n"


def test_every_change_of_a_snippet_and_no_other():
    assert [str(mutant) for mutant in mutants(SNIPPET)] == [
        "4: f(x: Array[3], n: int = 0) -> Array[4]:  ->  f(x: Array[3], n: int = 1) -> Array[4]:",
        "6: y: Array[2] = g(x, axis=1, **options)  ->  y: Array[2] = g(x, **options)",
        "6: y: Array[2] = g(x, axis=1, **options)  ->  y: Array[2] = g(x, axis=0, **options)",
        "7: if not x and n < 2.5:  ->  if not x or n < 2.5:",
        "7: if not x and n < 2.5:  ->  if x and n < 2.5:",
        "7: if not x and n < 2.5:  ->  if not x and n <= 2.5:",
        "7: if not x and n < 2.5:  ->  if not x and n < 5.0:",
        '8: = f"{n + 1}"; return é * (x - y)  ->  = f"{n + 1}"; return é / (x - y)',
        '8: {n + 1}"; return é * (x - y)  ->  {n + 1}"; return é * (x + y)',
        "9: n += 3  ->  n -= 3",
        "9: n += 3  ->  n += 4",
        "10: return h(True)  ->  return h(False)",
    ]


def test_a_mutant_differs_from_the_source_in_its_line_only():
    for mutant in mutants(SNIPPET):
        pairs = zip(SNIPPET.splitlines(), mutant.source.splitlines(), strict=True)
        assert [i for i, (a, b) in enumerate(pairs, 1) if a != b] == [mutant.line]
        compile(mutant.source, "mutant", "exec")


@pytest.mark.parametrize(
    ("source", "changed"),
    [
        ("0.5", ["1.0"]),
        ("1.0", ["0.0"]),
        ("a or b and c", ["a and (b and c)", "a or b or c"]),
        ("a <= b != c", ["a < b != c", "a <= b == c"]),
        ("not a == b", ["a == b", "not a != b"]),
        ("c - a * b", ["c + a * b", "c - a / b"]),
        ("a // b @ c, 'text', None", []),
        ("f(*a, **b)", []),
        ("f(\n    a, b=c\n)", ["f(a)"]),
    ],
)
def test_changes_of_one_expression(source, changed):
    assert [mutant.source for mutant in mutants(source)] == changed


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A tree with a module and a test of half of it. The plugins of pytest stay out, for time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name, text in (("toy/numbers.py", TOY), ("tests/test_numbers.py", TOY_TEST)):
        (tmp_path / "tree" / name).parent.mkdir(parents=True)
        (tmp_path / "tree" / name).write_text(text)
    return tmp_path / "tree"


def test_sites_are_drawn_by_the_seed_and_a_larger_sample_begins_with_a_smaller(toy):
    paths = modules_of(toy, "toy")
    assert paths == ["toy/numbers.py"]
    every = draw(toy, paths, 100, seed=0)
    assert len(every) == len(mutants(TOY)) == 3
    assert draw(toy, paths, 2, seed=0) == every[:2]
    assert len({tuple(draw(toy, paths, 100, seed)) for seed in range(20)}) > 1


def test_one_mutant_is_killed_and_one_survives_and_the_tree_stays_as_it_was(toy):
    swapped, _, doubled = (Site("toy/numbers.py", mutant) for mutant in mutants(TOY))
    wrong = swapped.mutant._replace(source=TOY.replace(">", "<"))
    copy, index = Copy(toy, toy.parent / "copy", timeout=60), Index(toy, ["toy/numbers.py"])
    lines = list(judged(copy, [swapped._replace(mutant=wrong), doubled], index, most=6))
    assert lines == [
        f"toy/numbers.py:{doubled.mutant}",
        "killed: 50.0 % of 2 mutants",
    ]
    for tree in ("tree", "copy"):
        assert (toy.parent / tree / "toy/numbers.py").read_text() == TOY


def test_a_mutant_that_does_not_end_is_killed(toy):
    endless = Site("toy/numbers.py", mutants(TOY)[0]._replace(source="while True: pass"))
    assert not Copy(toy, toy.parent / "copy", timeout=1).survives(endless, ["tests"])


def test_a_test_that_fails_before_anything_is_planted_kills_nothing(toy, capsys):
    (toy / "tests/test_numbers.py").write_text(TOY_TEST.replace("== 2", "== 1"))
    copy, index = Copy(toy, toy.parent / "copy", timeout=60), Index(toy, ["toy/numbers.py"])
    survivor, share = judged(copy, draw(toy, ["toy/numbers.py"], 1, 0), index, most=6)
    assert survivor.endswith("(no test is about it)")
    assert share == "killed: 0.0 % of 1 mutants"
    assert "tests/test_numbers.py does not pass as it is" in capsys.readouterr().err


def test_tests_are_those_that_use_the_module_the_narrowest_first(toy):
    files = {
        "toy/__init__.py": "",
        "toy/inner.py": "def _hidden(): ...",
        "toy/outer.py": "from toy.inner import _hidden\nanswer: int = 42",
        "tests/test_both.py": "import toy as t\nt.answer\nt.x.larger",
        "tests/test_outer.py": "from toy import outer",
        "tests/test_other.py": "import numpy as np\nnp.answer\nanswer = larger = 1",
    }
    for name, text in files.items():
        (toy / name).write_text(text)
    index = Index(toy, modules_of(toy, "toy"))
    outer, both, numbers = (f"tests/test_{name}.py" for name in ("outer", "both", "numbers"))
    assert index.of("toy/outer.py", most=6) == [outer, both]
    assert index.of("toy/inner.py", most=6) == [outer, both]
    assert index.of("toy/numbers.py", most=6) == [numbers, both]
    assert index.of("toy/numbers.py", most=1) == [numbers]


@pytest.mark.parametrize("words", ["--sample 0", "--path experiments", "--out /no/such/folder/x"])
def test_what_cannot_be_done_ends_with_status_2(words, capsys):
    assert main(["bench", "mutants", *words.split()]) == 2
    assert words.split()[0] in capsys.readouterr().err
