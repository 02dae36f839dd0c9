"""Names: where they stand, that old ones still come, and that tools can see them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import jaxnn
from jaxnn.moved import MOVED
from tests.public import rooms

ROOT = Path(__file__).parents[1]
FILES = [p for room in ("jaxnn", "experiments", "tests") for p in (ROOT / room).rglob("*.py")]
PAGES = [ROOT / "README.md", *(ROOT / "jaxnn").rglob("*.md")]


def python(code: str, *options: str) -> str:
    command = [sys.executable, *options, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_what_the_package_shows_is_public():
    assert dir(jaxnn) == sorted({*jaxnn.__all__, *rooms(), "check", "sklearn"})
    assert not [name for name in dir(jaxnn) if name.startswith("_")]
    assert not set(jaxnn.__all__) & set(MOVED)


def test_rooms_come_without_being_imported():
    code = "import jaxnn; print(jaxnn.check.check_grad.__name__, jaxnn.curvature.hvp.__name__)"
    assert python(code).split() == ["check_grad", "hvp"]
    with pytest.raises(AttributeError, match=r"module 'jaxnn' has no attribute 'Dens'"):
        jaxnn.Dens  # noqa: B018 # pyright: ignore


def test_an_old_name_is_the_new_one_and_says_so_once():
    code = """
import warnings
import jaxnn
from jaxnn.moved import MOVED
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for name, place in MOVED.items():
        old, new = getattr(jaxnn, name), jaxnn
        for part in place.split("."):
            new = getattr(new, part)
        assert old is new is getattr(jaxnn, name), name
print(len(caught) == len(MOVED), caught[0].message)
"""
    assert python(code) == "True jaxnn.Factor is now jaxnn.core.Factor\n"


def test_nothing_of_ours_uses_an_old_name():
    old = re.compile(rf"\b(?:nn|jaxnn)\.({'|'.join(MOVED)})\b(?!\.)")
    here = Path(__file__).name
    for path in [*FILES, *PAGES]:
        assert path.name == here or not old.findall(path.read_text()), path


SCRIPT = """
import jax
import jaxnn as nn

net = nn.serial(nn.Dense(3), nn.relu)
nn.Dens(3)
nn.Dense("three")
reveal_type(nn.check)
reveal_type(nn.curvature.hvp)
nn.check.check_gradd
nn.train_step(net, nn.half_square, nn.SGD(0.1), 3, 4)
nn.curvature.hvpp
"""


def test_a_type_checker_sees_every_name(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    found = re.findall(r"script\.py:(\d+):\d+ - (.*)", done.stdout)
    said = {int(line): text for line, text in found}
    assert sorted(said) == [6, 7, 8, 9, 10, 11, 12], done.stdout
    assert '"Dens" is not a known attribute' in said[6]
    assert '"Literal[\'three\']" cannot be assigned to parameter "n_out"' in said[7]
    assert 'Module("jaxnn.check")' in said[8]
    assert "net: Layer, loss: Loss, params" in said[9]
    assert '"check_gradd" is not a known attribute' in said[10]
    assert 'Argument missing for parameter "y"' in said[11]
    assert '"hvpp" is not a known attribute' in said[12]
