"""Writing a config as TOML that can be saved and loaded again, with every default spelled out."""

import dataclasses
import json
import tomllib
from typing import Any

from experiments.common.failures import ConfigError
from experiments.config import INITIALIZERS, Experiment
from experiments.config.file import check

_INLINE = tuple(INITIALIZERS.values())  # short enough for one line


def to_toml(experiment: Experiment) -> str:
    """Return the config as TOML: plain keys first, then one section for each table and layer."""
    return "\n".join(_section(experiment, "", "")) + "\n"


def same(one: str, other: str) -> bool:
    """Whether two configs in TOML say the same; a key that is not there has its default."""
    if one == other:
        return True
    try:
        first, second = (check(tomllib.loads(text), "") for text in (one, other))
    except (ConfigError, tomllib.TOMLDecodeError):
        return False
    return first == second


def _section(table: Any, path: str, header: str) -> list[str]:
    plain: list[str] = []
    below: list[str] = []  # TOML takes a plain key after a section for a key of that section
    for name, value in _entries(table):
        here = f"{path}.{name}" if path else name
        if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
            for layer in value:
                below += _section(layer, here, f"[[{here}]]")
        elif dataclasses.is_dataclass(value) and not isinstance(value, _INLINE):
            below += _section(value, here, f"[{here}]")
        else:
            plain.append(_line(name, value))
    return (["", header] if header and plain else []) + plain + below


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
