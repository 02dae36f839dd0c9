"""What the READMEs show is what comes out: every example is run, every shown output compared."""

import itertools
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert shown is not None
    assert alike(words(done.stdout), words(shown)), done.stdout


def experiment_commands():
    for path, code, shown in pairs("sh"):
        command = re.search(r"-m experiments (.*)", code)
        if command and shown:
            yield path, shlex.split(command[1]), shown


@pytest.mark.parametrize(("path", "command", "shown"), list(experiment_commands()))
def test_a_command_prints_what_is_shown(path, command, shown, tmp_path):
    out = ["--out", str(tmp_path)] if command[0] == "run" else []
    call = [sys.executable, "-m", "experiments", *command, *out]
    done = subprocess.run(call, capture_output=True, text=True, cwd=ROOT)
    printed, wanted = words(done.stdout + done.stderr), words(shown)
    if done.returncode == 0 and command[0] == "run":  # the last line has the folder and the time
        printed, wanted = printed.split("\nruns/")[0], wanted.split("\nruns/")[0]
        printed = printed[: printed.index(str(tmp_path))].strip()
    assert alike(printed, wanted), printed


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


def test_every_public_layer_and_loss_is_in_the_table():
    import jaxnn

    text = READMES[0].read_text()
    for name in jaxnn.__all__:
        value = getattr(jaxnn, name)
        if isinstance(value, jaxnn.Layer | jaxnn.Loss):
            assert f"`{name}" in text, name


def test_the_comparison_of_outputs_can_fail():
    assert alike("loss 0.601 of 3", "loss 0.600 of 3")
    assert not alike("loss 0.7", "loss 0.6")
    assert not alike("loss 0.6", "cost 0.6")
    assert not alike("0.6", "0.6 0.6")
