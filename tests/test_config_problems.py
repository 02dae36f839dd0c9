"""Configs that are bad: every problem has its line, and all lines come at once."""

from pathlib import Path

import pytest

from experiments import config
from experiments.common.failures import ConfigError
from experiments.config.file import load

GOOD = """
name = "good"
[data]
name = "iris"
[[model.layers]]
kind = "dense"
units = 8
activation = "relu"
[[model.layers]]
kind = "activation"
name = "elu"
[[model.layers]]
kind = "dense"
units = 3
[train]
epochs = 2
batch_size = 16
lr = 1
[train.optimizer]
kind = "sgd"
momentum = 0.9
"""


def write(folder: Path, *changes: tuple[str, str]) -> str:
    """Writes the good config with pieces of text replaced; returns its path."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "test.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def problems(path: str, *overrides: str) -> list[str]:
    """The lines of the error that loading ends in."""
    with pytest.raises(ConfigError) as caught:
        load(path, list(overrides))
    return str(caught.value).splitlines()


LAYERS = ", ".join(sorted(config.LAYERS))
ACTIVATIONS = "elu, gelu, leaky_relu, linear, relu, sigmoid, silu, softmax, softplus, step, tanh"

ONE_PROBLEM = {
    "misspelt key": (
        ("momentum", "momentun"),
        "train.optimizer.momentun: unknown key, did you mean 'momentum'? (got 0.9)",
    ),
    "strange key": (
        ("units = 8", "units = 8\nzzz = 'x'"),
        "model.layers.0.zzz: unknown key, "
        "known: activation, bias, bias_init, init, kind, units (got 'x')",
    ),
    "text for a whole number": (
        ("epochs = 2", "epochs = 'twenty'"),
        "train.epochs: expected a whole number (got 'twenty')",
    ),
    "true for a whole number": (
        ("units = 8", "units = true"),
        "model.layers.0.units: expected a whole number (got true)",
    ),
    "fraction for a whole number": (
        ("epochs = 2", "epochs = 20.5"),
        "train.epochs: expected a whole number (got 20.5)",
    ),
    "text for a number": (("lr = 1", "lr = '1'"), "train.lr: expected a number (got '1')"),
    "number for true or false": (
        ("units = 8", "units = 8\nbias = 1"),
        "model.layers.0.bias: expected true or false (got 1)",
    ),
    "number for text": (('name = "good"', "name = 3"), "name: expected text (got 3)"),
    "slash in the name": (
        ('"good"', '"../good"'),
        "name: expected letters, digits, - and _ only (got '../good')",
    ),
    "missing section": (
        ('[data]\nname = "iris"', ""),
        "data: missing, expected a table",
    ),
    "not positive": (
        ("lr = 1", "lr = -0.5"),
        "train.lr: expected a number greater than 0 (got -0.5)",
    ),
    "too small": (
        ("epochs = 2", "epochs = 0"),
        "train.epochs: expected a whole number of at least 1 (got 0)",
    ),
    "too large": (
        ("momentum = 0.9", "momentum = 1"),
        "train.optimizer.momentum: expected a number less than 1 (got 1)",
    ),
    "just too large": (
        ("[train.optimizer]", "schedule = { kind = 'cosine', final = 1.5 }\n[train.optimizer]"),
        "train.schedule.final: expected a number of at most 1 (got 1.5)",
    ),
    "nan": (("lr = 1", "lr = nan"), "train.lr: expected a finite number (got nan)"),
    "inf": (("lr = 1", "l1 = inf\nlr = 1"), "train.l1: expected a finite number (got inf)"),
    "unknown layer": (
        ('kind = "activation"', 'kind = "quux"'),
        f"model.layers.1: unknown layer 'quux', known: {LAYERS}",
    ),
    "misspelt layer": (
        ('kind = "dense"', 'kind = "Dence"'),
        f"model.layers.0: unknown layer 'Dence', did you mean 'dense'? known: {LAYERS}",
    ),
    "unknown data set": (
        ('"iris"', '"mnits"'),
        "data.name: unknown data set 'mnits', did you mean 'mnist'? "
        "known: breast_cancer, diabetes, digits, iris, mnist, wine",
    ),
    "unknown activation of a dense layer": (
        ('activation = "relu"', 'activation = "relo"'),
        f"model.layers.0.activation: unknown activation 'relo', did you mean 'relu'? "
        f"known: {ACTIVATIONS}",
    ),
    "unknown activation": (
        ('"elu"', '"swish"'),
        f"model.layers.1.name: unknown activation 'swish', known: {ACTIVATIONS}",
    ),
    "unknown optimizer": (
        ('"sgd"', "7"),
        "train.optimizer: unknown optimizer 7, known: adagrad, adam, adamw, kfac, rmsprop, sgd",
    ),
    "no kind": (
        ('kind = "sgd"', ""),
        "train.optimizer: missing 'kind', known: adagrad, adam, adamw, kfac, rmsprop, sgd",
    ),
    "a word for a table": (
        ("units = 8", "units = 8\ninit = 'he'"),
        "model.layers.0.init: expected a table such as { kind = \"he\" } (got 'he')",
    ),
    "missing key": (("epochs = 2", ""), "train.epochs: missing, expected a whole number"),
    "missing choice": (
        ('name = "iris"', ""),
        "data: missing name or path, expected one of breast_cancer, diabetes, digits, iris, mnist, "
        "wine for name, or a path of your own data",
    ),
    "parameter of relu": (
        ('"elu"', '"relu"\nparameter = 2'),
        "model.layers.1: relu takes no parameter, only these do: elu, leaky_relu, linear, step",
    ),
    "form of elu": (
        ('"elu"', '"elu"\nform = "tanh"'),
        "model.layers.1: elu takes no form, only these do: gelu",
    ),
    "unknown form": (
        ('"elu"', '"gelu"\nform = "fast"'),
        "model.layers.1.form: unknown form 'fast', known: erf, tanh",
    ),
    "nesterov without momentum": (
        ("momentum = 0.9", "nesterov = true"),
        "train.optimizer: nesterov needs momentum above 0 (got momentum 0)",
    ),
    "nothing between low and high": (
        ("units = 8", "units = 8\ninit = { kind = 'uniform', low = 1, high = 1 }"),
        "model.layers.0.init: low must be below high (got low 1.0, high 1.0)",
    ),
    "a date for text": (
        ('"good"', "2024-01-01"),
        "name: expected text (got 'the date 2024-01-01')",
    ),
    "a time for a number": (
        ("lr = 1", "lr = 12:00:00"),
        "train.lr: expected a number (got 'the time 12:00:00')",
    ),
}


@pytest.mark.parametrize(("change", "line"), ONE_PROBLEM.values(), ids=ONE_PROBLEM.keys())
def test_a_bad_value_gives_one_line(change: tuple[str, str], line: str, tmp_path: Path):
    path = write(tmp_path, change)
    assert problems(path) == [f"{path}: 1 problem", f"  {line}"]


def test_all_problems_come_at_once(tmp_path: Path):
    path = write(
        tmp_path,
        ("momentum", "momentun"),
        ("epochs = 2", 'epochs = "twenty"'),
        ('kind = "activation"', 'kind = "dropuot"'),
    )
    assert problems(path) == [
        f"{path}: 3 problems",
        f"  model.layers.1: unknown layer 'dropuot', did you mean 'dropout'? known: {LAYERS}",
        "  train.epochs: expected a whole number (got 'twenty')",
        "  train.optimizer.momentun: unknown key, did you mean 'momentum'? (got 0.9)",
    ]


def test_a_config_without_layers_is_refused_and_bad_layers_are_not_counted_twice(tmp_path: Path):
    path = tmp_path / "layers.toml"
    start = GOOD.split("[[model.layers]]", maxsplit=1)[0] + "[model]\nlayers = "
    train = "\n[train]" + GOOD.split("[train]")[1]
    for layers, line in {
        "[]": "model.layers: expected at least one layer",
        "3": "model.layers: expected an array of tables (got 3)",
        "[3]": 'model.layers.0: expected a table such as { kind = "activation" } (got 3)',
    }.items():
        path.write_text(start + layers + train, encoding="utf-8")
        assert problems(str(path))[1:] == [f"  {line}"]


def test_an_empty_file_lacks_every_section(tmp_path: Path):
    path = tmp_path / "empty.toml"
    path.touch()
    assert problems(str(path)) == [
        f"{path}: 4 problems",
        "  name: missing, expected text",
        "  data: missing, expected a table",
        "  model: missing, expected a table",
        "  train: missing, expected a table",
    ]


def test_a_long_value_is_cut(tmp_path: Path):
    line = problems(write(tmp_path, ("epochs = 2", f"epochs = '{'x' * 500}'")))[1]
    assert len(line) < 130


def test_files_that_cannot_be_read_say_why(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"no config is called 'digts', did you mean 'digits'\?"):
        load("digts", [])
    with pytest.raises(ConfigError, match=r"iris2.toml: no such file, did you mean 'iris'\?\n  sh"):
        load(str(tmp_path / "iris2.toml"), [])
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(f"{tmp_path}/", [])
    path = tmp_path / "bad.toml"
    path.write_text("name = 'x'\nlr 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"bad.toml: not TOML: .*line 2, column 4"):
        load(str(path), [])
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        load(str(path), [])


def test_overrides_out_of_range_are_refused():
    assert problems("iris", "--train.lr", "-1", "--seed", "4294967296") == [
        "command line: 2 problems",
        "  seed: expected a whole number less than 4294967296 (got 4294967296)",
        "  train.lr: expected a number greater than 0 (got -1.0)",
    ]
    line = problems("iris", "--train.lr", "nan")[1]
    assert line == "  train.lr: expected a finite number (got nan)"
