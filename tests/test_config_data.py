"""The [data] of a config: a name or a path, and what belongs to which."""

import copy
import dataclasses
import datetime
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from experiments import config
from experiments.common.failures import ConfigError
from experiments.config.data import Data
from experiments.config.file import check, load

NETWORK = """
[[model.layers]]
kind = "dense"
units = 3
init = { kind = "uniform", low = 0, high = 1 }
[model.loss]
kind = "softmax_cross_entropy"
smoothing = 0.1
[train]
epochs = 1
batch_size = 8
sample = 8
lr = 0.1
clip_norm = 1
optimizer = { kind = "adam", eps = 1e-8 }
schedule = { kind = "step", factor = 0.5, every = 3 }
"""
OWN = """path = "a.csv"
target = "y"
task = "regression"
weights = "w"
test_path = "b.csv"
ignore = ["id"]"""


def write(folder: Path, data: str) -> str:
    path = folder / "own.toml"
    path.write_text(f'name = "own"\nseed = 1\n[data]\n{data}\n{NETWORK}', encoding="utf-8")
    return str(path)


def problem(path: str, *overrides: str) -> str:
    """The only line below the count."""
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    (line,) = str(caught.value).splitlines()[1:]
    return line.strip()


def test_every_key_of_a_path_is_read(tmp_path):
    found = load(
        write(tmp_path, OWN + "\nvalidation_fraction = 0.25\ntest_fraction = 0.1"), []
    ).data
    assert found == Data(
        path="a.csv",
        target="y",
        task="regression",
        weights="w",
        test_path="b.csv",
        ignore=("id",),
        test_fraction=0.1,
        validation_fraction=0.25,
    )


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ("", "data: missing name or path, expected one of breast_cancer, diabetes, digits, "),
        ('name = "iris"\npath = "a.npz"', "data: expected name or path, got both: 'iris' and 'a."),
        ('name = "iris"\ntarget = "y"', "data: target: belongs to path, and name is 'iris' (got"),
        ('name = "iris"\nignore = ["y"]', "data: ignore: belongs to path, and name is 'iris' (got"),
        ('path = "a.csv"', "data: target: missing, expected the column of 'a.csv' to predict"),
        ('path = "a.npz"\ntarget = "y"', "data: target: names columns of a .csv or .tsv, and path"),
        ('path = "a"\nignore = ["y"]', "data: ignore: names columns of a .csv or .tsv, and path"),
        ('path = "a.TSV"\ntarget = "y"\nignore = ["y"]', "data: ignore: has the target, 'y'"),
        ('path = " "', "data: path: expected text that is not empty (got ' ')"),
        ('path = "a.npz"\ntask = "clustering"', "data.task: unknown task 'clustering', known: cla"),
        ('path = "a.npz"\ntask = "regresion"', "data.task: unknown task 'regresion', did you mean"),
        ('name = "irs"', "data.name: unknown data set 'irs', did you mean 'iris'? known: breast_"),
        ('name = "iris"\nvalidation_fraction = 1', "data.validation_fraction: expected a number l"),
        (
            'name = "iris"\nvalidation_fraction = -0.1',
            "data.validation_fraction: expected a number ",
        ),
        (OWN.replace('["id"]', '"id"'), "data.ignore: expected an array of texts (got 'id')"),
        (OWN.replace('["id"]', "[1]"), "data.ignore.0: expected text (got 1)"),
    ],
)
def test_what_does_not_belong_together_is_refused_by_its_key(data, line, tmp_path):
    assert problem(write(tmp_path, data)).startswith(line)


def test_overrides_change_the_path_and_the_fractions(tmp_path):
    path = write(tmp_path, OWN)
    words = ["--data.path", "c.tsv", "--data.validation_fraction", "0.1", "--data.ignore", "a", "b"]
    found = load(path, words).data
    assert (found.path, found.validation_fraction, found.ignore) == ("c.tsv", 0.1, ("a", "b"))
    words = ["--data.name", "None", "--data.path", "c.npz"]
    assert load("iris", words).data == Data(path="c.npz")


def test_an_override_that_does_not_fit_ends_with_status_2(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as caught:
        load("iris", ["--data.path", "x.npz"])
    assert caught.value.code == 2
    assert "--data.name None takes the name away" in capsys.readouterr().err


def test_a_name_in_another_encoding_is_refused():
    with pytest.raises(ValueError, match=r"path: expected text in UTF-8 \(got '.udcff.npz'\)"):
        Data(path="\udcff.npz")


def keys(table: dict[str, Any], above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every key below a table, tables and arrays included."""
    found = []
    for key, value in table.items():
        found.append((*above, key))
        if isinstance(value, dict):
            found += keys(value, (*above, key))
        elif isinstance(value, list) and isinstance(value[0], dict):
            found += keys(value[0], (*above, key, 0))
    return found


FULL = tomllib.loads(f'name = "own"\nseed = 1\n[data]\n{OWN}\n{NETWORK}')


@pytest.mark.parametrize("value", [datetime.date(2024, 1, 2), datetime.time(1, 2)])
def test_no_key_takes_a_date_or_a_time(value):
    for key in keys(FULL):
        values = copy.deepcopy(FULL)
        table: Any = values
        for step in key[:-1]:
            table = table[step]
        table[key[-1]] = value
        with pytest.raises(ConfigError) as caught:
            check(values, "test")
        # what kind a table is of is said of the table
        path = ".".join(map(str, key)).removesuffix(".kind")
        assert f"\n  {path}" in str(caught.value), key
        assert f"the {type(value).__name__} {value}" in str(caught.value), key


def test_a_date_is_shown_as_it_came(tmp_path):
    line = problem(write(tmp_path, "path = 2024-01-02"))
    assert line == "data.path: expected text (got 'the date 2024-01-02')"


def test_the_full_config_is_good_and_has_every_key_of_data():
    assert dataclasses.replace(check(FULL, "test").data, target="z").target == "z"
    of_data = {field.name for field in dataclasses.fields(config.Data)}
    assert of_data - FULL["data"].keys() == {"name", "test_fraction", "validation_fraction"}


def test_the_config_half_imports_neither_jax_nor_numpy():
    code = (
        "import sys, experiments.config, experiments.config.file, experiments.config.problems; "
        "sys.exit(', '.join({'jax', 'numpy', 'sklearn', 'PIL'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
