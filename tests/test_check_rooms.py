"""The rooms of the checker: what each may import, and the page that says so."""

import ast
import pathlib

import pytest

import jaxnn.check

HERE = pathlib.Path(jaxnn.check.__file__).parent
MAY = {  # room -> the rooms of the checker that it may use; "" are the files beside the rooms
    "numeric": set(),
    "kinks": {"numeric"},
    "diagnosis": set(),
    "planting": set(),
    "report": {"diagnosis"},
    "reference": {"numeric", "report", ""},
    "trial": {"numeric", "kinks", "diagnosis", "report", "reference", ""},
    "testing": {"numeric", "kinks", "report", ""},
}
OTHERS = {  # what else may be imported, where it is not everything
    "diagnosis": {"numpy"},
    "planting": {"numpy", "jax"},
    "report": {"numpy"},
    "numeric": {"numpy", "jax"},
    "kinks": {"numpy", "jax"},
}


def imports(path):
    """The modules that a file imports, wherever in it."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(module):
    """`jaxnn.check.kinks.reach` is in `kinks`, `jaxnn.check.options` in none."""
    parts = module.split(".")[2:]
    return parts[0] if parts and (HERE / parts[0]).is_dir() else ""


def test_the_table_has_every_room():
    assert {path.parent.name for path in HERE.glob("*/__init__.py")} == set(MAY)


@pytest.mark.parametrize("room", MAY)
def test_a_room_imports_what_it_may(room):
    found = {module for path in (HERE / room).glob("*.py") for module in imports(path)}
    ours = {module for module in found if module.startswith("jaxnn.check.")}
    assert {room_of(module) for module in ours} - {room} <= MAY[room]
    if room in OTHERS:
        packages = {m.split(".")[0] for m in found - ours} - {"jaxnn"}
        assert packages & {"numpy", "jax", "pytest", "hypothesis"} == OTHERS[room]


@pytest.mark.parametrize("room", MAY)
def test_every_room_has_a_page_that_names_its_files(room):
    page = (HERE / room / "README.md").read_text()
    files = {path.name for path in (HERE / room).glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in page} == set()
    assert len(page.splitlines()) <= 20
