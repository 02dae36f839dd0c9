"""Writing a config as TOML that can be saved and loaded again, with every default spelled out."""

import dataclasses
import json
from typing import Any

from experiments.config import Experiment


def to_toml(experiment: Experiment) -> str:
    """Return the config as TOML: plain keys first, then one section for each table and layer."""
    return "\n".join(_section(experiment, ())) + "\n"


def _section(table: Any, path: tuple[str, ...]) -> list[str]:
    plain: list[str] = []
    below: list[str] = []  # TOML takes a plain key after a section for a key of that section
    for name, value in _entries(table):
        here = (*path, name)
        if dataclasses.is_dataclass(value):
            below += _section(value, here)
        elif isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for layer in value:
                below += ["", f"[[{'.'.join(here)}]]"]
                below += [_line(key, inner) for key, inner in _entries(layer)]
        else:
            plain.append(_line(name, value))
    header = ["", f"[{'.'.join(path)}]"] if path and plain else []
    return header + plain + below


def _entries(table: Any) -> list[tuple[str, Any]]:
    """The keys of a table with their values; `kind` first, since it says what the others mean."""
    entries = [(field.name, getattr(table, field.name)) for field in dataclasses.fields(table)]
    return sorted(entries, key=lambda entry: entry[0] != "kind")


def _line(name: str, value: Any) -> str:
    return f"# {name} is not set" if value is None else f"{name} = {_value(value)}"


def _value(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        inside = (f"{name} = {_value(inner)}" for name, inner in _entries(value))
        return f"{{ {', '.join(inside)} }}"
    # Booleans, finite numbers and text look the same in TOML, pairs of surrogates do not.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
