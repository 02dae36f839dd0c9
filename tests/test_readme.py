"""What the READMEs show is what comes out: every example is run, every shown output compared."""

import itertools
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

from experiments.config.file import check
from tests.public import public

ROOT = pathlib.Path(__file__).parent.parent
AS_USERS = {**os.environ, "XLA_FLAGS": ""}  # tests compile in a hurry, see conftest
BIN = pathlib.Path(sys.executable).parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("[a-z]*/**/README.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def pairs(language):
    """(README, code, shown output or None) of every block of a language."""
    for path in READMES:
        blocks = [*BLOCK.findall(path.read_text()), ("", "")]
        for (kind, code), (following, output) in itertools.pairwise(blocks):
            if kind == language:
                yield path.relative_to(ROOT), code, output if following == "text" else None


def alike(printed: str, shown: str) -> bool:
    """Equal but for the last digits of fractions, which other machines round otherwise."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", shown):
        return False
    numbers = zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True)
    return all(abs(float(a) - float(b)) <= 0.03 * abs(float(b)) for a, b in numbers)


def words(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip()


@pytest.mark.parametrize(("path", "code", "shown"), list(pairs("python")))
def test_an_example_prints_what_is_shown(path, code, shown):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=AS_USERS
    )
    assert done.returncode == 0, done.stderr
    assert shown is not None
    assert alike(words(done.stdout), words(shown)), done.stdout


def shells():
    """{README: [(commands, shown), ...]}, in the order of the page: later ones need earlier."""
    found = {}
    for path, code, shown in pairs("sh"):
        # the first page installs besides, which is for .ci/run
        code = re.sub(r"^python3 -m venv .*(?=-m experiments)", "python ", code)
        if shown and not code.startswith("python3 -m venv"):
            found.setdefault(path, []).append((code, shown))
    return found


def test_a_config_that_is_shown_is_one():
    configs = [code for _, code, _ in pairs("toml")]
    assert configs
    for code in configs:
        values = tomllib.loads(code)
        values.pop("sweep", None)
        check(values, "README")


@pytest.mark.parametrize("path", shells(), ids=str)
def test_the_commands_of_a_page_print_what_is_shown(path, tmp_path):
    here = {"PYTHONPATH": str(ROOT), "COLUMNS": "100", "PATH": f"{BIN}:{os.environ['PATH']}"}
    for code, shown in shells()[path]:
        done = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{code}"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**AS_USERS, **here},
        )
        assert alike(timeless(done.stdout), timeless(shown)), done.stdout


def timeless(text: str) -> str:
    """Without the seconds that a command took."""
    return words(re.sub(r"\d+\.\d s\)$", "s)", text, flags=re.MULTILINE))


def test_the_commands_of_the_first_page_are_one_line_each():
    commands = [code for path, code, _ in pairs("sh") if str(path) == "README.md"]
    assert len(commands) == 2
    for command in commands:
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install")


def test_the_first_page_is_short_and_its_links_lead_somewhere():
    text = READMES[0].read_text()
    assert len(text.splitlines()) < 200
    for path in READMES:
        for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path}: {link}"


def test_every_room_says_what_lives_there_and_the_table_has_it():
    table = (ROOT / "jaxnn" / "README.md").read_text()
    rooms = [path.parent for path in (ROOT / "jaxnn").glob("*/__init__.py")]
    assert len(rooms) > 10
    for room in rooms:
        assert (room / "README.md").exists(), room
        assert f"| [`{room.name}`]({room.name}/README.md) |" in table, room


def test_every_public_layer_and_loss_is_in_the_table():
    import jaxnn

    text = READMES[0].read_text()
    for name, value in public().items():
        if isinstance(value, jaxnn.Layer | jaxnn.Loss):
            assert f"`{name}" in text, name


def test_the_comparison_of_outputs_can_fail():
    assert alike("loss 0.601 of 3", "loss 0.600 of 3")
    assert not alike("loss 0.7", "loss 0.6")
    assert not alike("loss 0.6", "cost 0.6")
    assert not alike("0.6", "0.6 0.6")
