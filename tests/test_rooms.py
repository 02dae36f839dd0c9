"""The rooms of the application: each uses only those below it, and no files go round in circles."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import experiments

ROOT = Path(experiments.__file__).parent
FLOORS = (
    ("common",),
    ("config",),
    ("data",),
    ("training",),
    ("sweeping", "report", "lectures", "bench"),
    ("commands",),
    ("",),  # the files at the top
)
# What rooms may take from the library, where they may not take everything.
FROM_JAXNN = {
    "common": {"jaxnn.saving"},
    "config": {"jaxnn", "jaxnn.core"},  # what it says of itself, and ranges: neither imports jax
    "data": set(),
    "commands": set(),
    "bench/mistakes": set(),
    "": set(),
}


def module(path: Path) -> str:
    names = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


FILES = {module(path): path for path in sorted(ROOT.glob("**/*.py"))}


def imported(source: str) -> set[str]:
    """The modules that a file names in imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & {*FILES} or {node.module}
    return found


def room(name: str) -> str:
    """The folder of a module below experiments, "" for a file at the top."""
    return str(FILES[name].parent.relative_to(ROOT)).removeprefix(".")


def floor(name: str) -> int:
    first = room(name).split("/")[0]
    return next(i for i, rooms in enumerate(FLOORS) if first in rooms)


@pytest.mark.parametrize("name", FILES)
def test_a_file_uses_its_own_room_and_those_below(name):
    for other in imported(FILES[name].read_text()) & {*FILES}:
        same = room(other).split("/")[0] == room(name).split("/")[0]
        assert same or floor(other) < floor(name), f"{name} imports {other}"


def test_no_files_import_each_other_in_a_circle():
    graph = {name: imported(path.read_text()) & {*FILES} - {name} for name, path in FILES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(FILES)


@pytest.mark.parametrize("place", FROM_JAXNN)
def test_some_rooms_take_little_or_nothing_from_the_library(place):
    inside = [name for name in FILES if room(name) == place]
    assert inside
    for name in inside:
        used = {other for other in imported(FILES[name].read_text()) if other.startswith("jaxnn")}
        assert used <= FROM_JAXNN[place], name


def test_every_room_says_what_lives_there():
    pages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("**/README.md")}
    rooms = {room(name).split("/")[0] for name in FILES} - {""}
    assert rooms | {"bench/mistakes"} <= pages
    text = (ROOT / "README.md").read_text()
    for name in pages - {"."}:
        assert f"({name}/README.md)" in text


@pytest.mark.parametrize(
    "source",
    [
        "from experiments.commands import words",
        "def f():\n    import experiments.commands.words",
        "if TYPE_CHECKING:\n    from experiments.commands.words import known",
    ],
)
def test_the_search_for_imports_finds_them(source):
    assert imported(source) == {"experiments.commands.words"}
