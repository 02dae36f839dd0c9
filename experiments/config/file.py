"""Reading a config: the TOML file, then the overrides of the command line, both checked."""

import dataclasses
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from experiments.common.failures import ConfigError, did_you_mean
from experiments.config import Experiment
from experiments.config.problems import report, stand_in

_SHIPPED = Path(__file__).parents[1] / "configs"


def shipped() -> list[str]:
    """Return the names of the configs that come with the application."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def load(name_or_path: str, overrides: Sequence[str]) -> Experiment:
    """Read a config and apply overrides such as `["--train.lr", "0.1"]` to it.

    A name without a slash and without `.toml` is the name of a shipped config.

    Raises ConfigError if the file cannot be read, or what it or the overrides say is not a
    config; SystemExit if `tyro` refused the overrides and said why (status 2), or was asked for
    `--help` and gave it (status 0).
    """
    path, shown = _locate(name_or_path)
    values = _read(path, shown)
    values.pop("sweep", None)  # says what else to try, not what one run is
    experiment = check(values, shown)
    if not overrides:
        return experiment
    changed = _override(experiment, overrides, name_or_path)
    return check(dataclasses.asdict(changed), "command line")


def sweep_table(name_or_path: str) -> dict[str, list[Any]]:
    """The `[sweep]` table of a config: dotted keys and the values to try, none if it has no table.

    `"train.lr" = [0.03, 0.1]` and `train.lr = [0.03, 0.1]` are the same. Raises ConfigError as
    `load` does, and for a key without an array of values.
    """
    path, shown = _locate(name_or_path)
    table = _read(path, shown).get("sweep", {})
    if not isinstance(table, dict):
        raise ConfigError(f"{shown}: sweep: expected a table of keys and arrays (got {table!r})")
    found = dict(_arrays(table, ()))
    if bad := [key for key, values in found.items() if not isinstance(values, list) or not values]:
        lines = [f"  sweep.{key}: expected an array of values (got {found[key]!r})" for key in bad]
        raise ConfigError("\n".join([f"{shown}: the [sweep] table is wrong", *lines]))
    return found


def _arrays(table: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _arrays(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


def _locate(name_or_path: str) -> tuple[Path, str]:
    """Return the file and what to call it in a message."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return Path(name_or_path), name_or_path
    if name_or_path not in shipped():
        hint = did_you_mean(name_or_path, shipped())
        raise ConfigError(
            f"no config is called '{name_or_path}'{hint}\n"
            f"  shipped: {', '.join(shipped())}; any other file: a path that ends in .toml"
        )
    return _SHIPPED / f"{name_or_path}.toml", f"{name_or_path}.toml"


def _read(path: Path, shown: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = did_you_mean(path.stem, shipped())
        raise ConfigError(
            f"{shown}: no such file{hint}\n  shipped: {', '.join(shipped())}"
        ) from None
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{shown}: not text in UTF-8") from None
    except ValueError as error:
        raise ConfigError(f"{shown}: not TOML: {error}") from None


@cache
def _adapter() -> TypeAdapter[Experiment]:
    # No plugin of pydantic's may change what a config is, and to look for some takes as long as to
    # read a config.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    return TypeAdapter(Experiment)


def check(values: dict[str, Any], source: str) -> Experiment:
    """The experiment that these values make. Raises ConfigError, with every problem in a line."""
    # Through JSON, because only there does strict mode take arrays for tuples and tables for
    # dataclasses while it still refuses true for 1.
    text = json.dumps(values, default=stand_in)
    try:
        return _adapter().validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError(report(source, error)) from None


def _override(experiment: Experiment, overrides: Sequence[str], name: str) -> Experiment:
    import tyro  # here, because it takes longer to import than a config takes to read

    return tyro.cli(
        Experiment,
        args=overrides,
        default=experiment,
        prog=f"python -m experiments run {name}",
        description=(
            "Every key of this config; its value in the file is its default. To change a kind, or "
            "the number of layers, write another file. `run` also takes --out DIR."
        ),
        use_underscores=True,
        config=(tyro.conf.AvoidSubcommands,),
    )
