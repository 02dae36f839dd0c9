"""The command line: what it prints where, and with which status it ends."""

import contextlib
import dataclasses
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

from experiments import config
from experiments.__main__ import main
from experiments.commands import COMMANDS
from experiments.config.file import load
from experiments.config.toml import to_toml
from experiments.data import DataError


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the messages that tyro wraps on one line, whatever the terminal."""
    monkeypatch.setenv("COLUMNS", "100")


def test_show_prints_the_config_with_its_overrides(capsys: pytest.CaptureFixture[str]):
    assert main(["show", "iris", "--train.lr", "0.5"]) == 0
    assert tomllib.loads(capsys.readouterr().out)["train"]["lr"] == 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "usage: python -m experiments"),
        ("rnu digits", "unknown command 'rnu', did you mean 'run'?"),
        ("show", "'show' needs a config as its next word"),
        ("run --train.lr 1", "'run' needs a config as its next word"),
        ("run digts", "no config or demo is called 'digts', did you mean 'digits'?"),
        ("run perceptorn", "did you mean 'perceptron'?\n  configs: breast_cancer, "),
        ("run xorr", "demos: "),
        ("show digts", "no config is called 'digts', did you mean 'digits'?"),
        ("show xor", "'xor' is a demo, which has no config to show; use 'run'"),
        ("run xor --train.lr 1", "'xor' is a demo: it takes --out DIR and no keys (got --train.lr"),
        ("run xor --help", "'xor' is a demo: it takes --out DIR and no keys (got --help)"),
    ],
)
def test_wrong_words_end_with_status_2(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert (message in said.err, said.out) == (True, "")


@pytest.mark.parametrize("words", ["--help", "-h"])
def test_help_names_the_commands_the_shipped_configs_and_the_demos(
    words: str, capsys: pytest.CaptureFixture[str]
):
    assert main(words.split()) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in (*COMMANDS, "breast_cancer", "wine", "xor"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]):
    with contextlib.suppress(SystemExit):
        assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: python -m experiments {command} ")


def test_help_on_a_config_lists_its_keys_and_values(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        main(["run", "mnist", "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "--model.layers.1.units INT" in said
    assert "(default: 392)" in said


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands in for the training: writes a file, and notes what it was called with."""

    def run(experiment: config.Experiment, folder: Path, **flags: object) -> None:
        (folder / "result.json").touch()
        module.calls.append((experiment, folder))

    module = types.ModuleType("experiments.training.run")
    vars(module).update(calls=[], run=run)
    monkeypatch.setitem(sys.modules, "experiments.training.run", module)
    return module


def test_run_trains_in_a_new_folder(
    trainer: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "iris", "--train.epochs", "3"]) == 0
    assert main(["run", "iris", "--out", "else/where", "--seed=5", "--name", "other"]) == 0
    (first, folder), (second, other) = trainer.calls
    assert (first.train.epochs, folder) == (3, Path("runs/0001-iris"))
    assert (second.seed, other) == (5, Path("else/where/0001-other"))
    assert (folder / "result.json").exists()
    assert (other / "result.json").exists()


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands in for a demo: writes a file."""
    module = types.ModuleType("experiments.lectures.demos.xor")
    vars(module)["run"] = lambda folder: (folder / "plot.png").touch()
    monkeypatch.setitem(sys.modules, "experiments.lectures.demos.xor", module)
    return module


def test_run_shows_a_demo_in_a_new_folder_and_names_it(
    demo: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number in ("0001", "0002"):
        assert main(["run", "xor", "--out", str(tmp_path)]) == 0
        folder = tmp_path / f"{number}-xor"
        assert (folder / "plot.png").exists()
        assert capsys.readouterr().out.startswith(f"{folder}  (0.")


def test_a_demo_without_its_data_is_one_line_and_leaves_no_empty_folder(
    demo: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def run(folder: Path) -> None:
        raise DataError("iris is not here")

    vars(demo)["run"] = run
    assert main(["run", "xor", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "iris is not here\n"
    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_had_is_one_line_and_leaves_no_empty_folder(
    trainer: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def run(experiment: config.Experiment, folder: Path, **flags: object) -> None:
        raise DataError("mnist is not here")

    vars(trainer)["run"] = run
    assert main(["run", "mnist", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "mnist is not here\n"
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_is_one_line(
    trainer: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def run(experiment: config.Experiment, folder: Path, **flags: object) -> None:
        raise KeyboardInterrupt

    vars(trainer)["run"] = run
    assert main(["run", "iris", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_an_out_folder_that_cannot_be_written_is_one_line(
    trainer: types.ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "file"
    file.touch()
    assert main(["run", "iris", "--out", str(file / "runs")]) == 1
    said = capsys.readouterr().err
    assert said == f"cannot make a run folder in {file / 'runs'}: Not a directory\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--train.lrr 1", "--train.lr FLOAT"),
        ("--data.name mnits", "invalid choice 'mnits'"),
        ("--train.epochs ten", "Error parsing --train.epochs"),
        ("--train.optimizer.kind sgd", "invalid choice 'sgd'"),
    ],
)
def test_wrong_overrides_end_with_status_2(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as caught:
        main(["show", "iris", *words.split()])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_overrides_that_contradict_each_other_end_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    iris = load("iris", [])
    train = dataclasses.replace(iris.train, optimizer=config.SGD())
    path = tmp_path / "sgd.toml"
    path.write_text(to_toml(dataclasses.replace(iris, train=train)), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main(["show", str(path), "--train.optimizer.nesterov"])
    assert caught.value.code == 2
    assert "nesterov needs momentum above 0" in capsys.readouterr().err


def python(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", *words]
    folder = Path(__file__).parents[1]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_a_bad_file_ends_the_process_with_status_2(tmp_path: Path):
    path = tmp_path / "bad.toml"
    path.write_text("name = 3\n" + to_toml(load("iris", [])).partition("\n")[2], encoding="utf-8")
    done = python("-m", "experiments", "run", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{path}: 1 problem\n  name: expected text (got 3)\n"


def test_a_bad_override_ends_the_process_with_status_2():
    done = python("-m", "experiments", "show", "iris", "--train.lrr", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_a_demo_runs_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))
    done = python("-m", "experiments", "run", "regions", "--out", str(tmp_path / "runs"))
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path / "runs" / "0001-regions"
    assert "40,000 of 40,000" in done.stdout
    assert f"{folder}  (" in done.stdout
    assert (folder / "regions.png").stat().st_size > 10_000


def test_show_imports_neither_jax_nor_scikit_learn_nor_matplotlib():
    done = python(
        "-c",
        "import sys; from experiments.__main__ import main; main(['show', 'digits']); "
        "heavy = {'jax', 'matplotlib', 'numpy', 'sklearn', 'tyro'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)",
    )
    assert done.stderr == "[]\n"
    assert "\x1b" not in done.stdout
