"""The cells of a sweep: one config for every combination of values, all checked before any starts.

Nothing here imports jax.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.common.failures import ConfigError
from experiments.config import Experiment
from experiments.config.file import check
from experiments.sweeping.asked import Grid


class Cell(NamedTuple):
    """One config of a sweep: the folder it gets, the values it has of the grid, all of it."""

    name: str
    values: dict[str, Any]
    experiment: Experiment


def cells(base: Experiment, grid: Grid) -> list[Cell]:
    """The cells in the order of the grid, its last key changing fastest; equal ones once.

    Raises ConfigError with the problems of all cells: a line for each, naming the cells it is in.
    """
    _check_keys(base, grid)
    plain = json.loads(json.dumps(dataclasses.asdict(base)))
    found: dict[Experiment, dict[str, Any]] = {}
    problems: dict[str, list[str]] = {}
    for combination in itertools.product(*grid.values()):
        values = dict(zip(grid, combination, strict=True))
        try:
            found.setdefault(check(_changed(plain, values), "sweep"), values)
        except ConfigError as error:
            for line in str(error).splitlines()[1:]:
                problems.setdefault(line.strip(), []).append(label(values))
    if problems:
        raise ConfigError(_report(problems, len(list(itertools.product(*grid.values())))))
    return [
        Cell(f"{number:04d}-{experiment.name}", values, experiment)
        for number, (experiment, values) in enumerate(found.items(), 1)
    ]


def varying(cells: list[Cell]) -> list[str]:
    """The keys in which the cells differ, in the order of the grid."""
    keys = cells[0].values
    return [key for key in keys if any(c.values[key] != cells[0].values[key] for c in cells)]


def label(values: Mapping[str, Any]) -> str:
    """`train.lr=0.03 seed=1`: what makes a cell, in the words that ask for it."""
    return " ".join(f"{key}={word(value)}" for key, value in values.items())


def word(value: Any) -> str:
    """A value of the grid as it is typed."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + "}"
    return str(value) if isinstance(value, str) or value is None else json.dumps(value, default=str)


def _changed(plain: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The config `plain` with other values at some keys; an unknown key is there afterwards."""
    changed = json.loads(json.dumps(plain))
    for key, value in values.items():
        here, steps = changed, key.split(".")
        for step in steps[:-1]:
            here = here[int(step)] if isinstance(here, list) else here.setdefault(step, {})
        if isinstance(here, list):
            here[int(steps[-1])] = value
        else:
            here[steps[-1]] = value
    return changed


def _check_keys(base: Experiment, grid: Grid) -> None:
    """Refuse the keys that lead nowhere in the config, whatever the value, all at once."""
    lines = [f"  {key}: {why}" for key in grid if (why := _no_way(base, key, grid))]
    if lines:
        raise ConfigError("\n".join([f"sweep: {_count(len(lines), 'problem')}", *lines]))


def _no_way(base: Experiment, key: str, grid: Grid) -> str:
    *path, last = steps = key.split(".")
    if last == "kind" and path:
        table = ".".join(path)
        return (
            "a kind cannot be changed by itself, for each has keys of its own; sweep over whole "
            f"""tables: '{table}={{kind="..."}},{{kind="...", ...}}'"""
        )
    for end in range(1, len(steps)):
        if (outer := ".".join(steps[:end])) in grid:
            return f"is inside {outer}, which is swept over too; keep one of them"
    here: Any = base
    for number, step in enumerate(steps):
        name = ".".join(steps[:number])
        if isinstance(here, tuple):
            if not step.isdecimal() or int(step) >= len(here):
                return f"{name} has the entries 0 to {len(here) - 1} (got '{step}')"
            here = here[int(step)]
        elif not dataclasses.is_dataclass(here):
            return f"{name} is no table, it has no key '{step}'"
        elif not hasattr(here, step):  # the check of the cells will name the known ones
            return ""
        else:
            here = getattr(here, step)
    return ""


def _report(problems: Mapping[str, list[str]], total: int) -> str:
    lines = [f"sweep: {_count(len(problems), 'problem')}"]
    for line, places in problems.items():
        more = f" and {_count(len(places) - 1, 'more cell')}" if len(places) > 1 else ""
        lines.append(f"  {line}" + (f", in {places[0]}{more}" if len(places) < total else ""))
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
