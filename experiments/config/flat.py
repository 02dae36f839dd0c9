"""A config as one table of dotted keys, such as `train.optimizer.momentum` or
`model.layers.1.units`: those of the command line. Layers count from 0."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.config import Experiment


def flat(experiment: Experiment) -> dict[str, Any]:
    """Every value by its key, in the order of the file."""
    return dict(_leaves(experiment, ""))


def changed(experiment: Experiment) -> dict[str, Any]:
    """The values that are not the defaults, by their keys; with them every `kind` that was named,
    since it says what the others mean."""
    return dict(_changed(experiment, None, ""))


def differing(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all flat configs, in the order they come up.

    A key that one of them lacks, since its layer or its optimizer is of another kind, differs.
    """
    keys = dict.fromkeys(key for config in configs for key in config)
    lacking = object()
    return [
        key
        for key in keys
        if any(c.get(key, lacking) != configs[0].get(key, lacking) for c in configs)
    ]


def _entries(table: Any) -> list[tuple[dataclasses.Field, Any]]:
    entries = [(field, getattr(table, field.name)) for field in dataclasses.fields(table)]
    return sorted(entries, key=lambda entry: entry[0].name != "kind")


def _tables(value: Any) -> bool:
    return isinstance(value, tuple) and any(map(dataclasses.is_dataclass, value))


def _leaves(table: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for field, value in _entries(table):
        key = prefix + field.name
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{key}.")
        elif _tables(value):
            for i, inner in enumerate(value):
                yield from _leaves(inner, f"{key}.{i}.")
        else:
            yield key, value


def _changed(table: Any, like: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """As `_leaves`, without what equals `like`; where that is None, the defaults of the fields."""
    for field, value in _entries(table):
        key = prefix + field.name
        default = field.default if like is None else getattr(like, field.name)
        if dataclasses.is_dataclass(value):
            same_kind = default if type(default) is type(value) else None
            yield from _changed(value, same_kind, f"{key}.")
        elif _tables(value):
            for i, inner in enumerate(value):
                yield from _changed(inner, None, f"{key}.{i}.")
        elif value != default or (like is None and field.name == "kind"):
            yield key, value
