"""Packages whose names are imported when they are asked for; their stub says where they stand.

The plugin of pytest lives in this package, and starting pytest must not cost an import of jax. So
`__init__.py` imports nothing, and `__init__.pyi` beside it is a list of plain imports, which type
checkers and editors read, and which is read here as well: a name stands in one place.
"""

import ast
import sys
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy(
    package: str, moved: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package with a stub.

    `moved` tells of names that stood in the package once: {name: "room.name"}. They still come,
    with a warning.
    """
    here = sys.modules[package]
    places = _places(Path(str(here.__file__)).with_suffix(".pyi"))

    def get(name: str) -> Any:
        if moved and name in moved:
            room, new = f"{package}.{moved[name]}".rsplit(".", 1)
            warnings.warn(f"{package}.{name} is now {room}.{new}", DeprecationWarning, 2)
            value = getattr(import_module(room), new)
        elif name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        elif places[name] == package:
            return import_module(f"{package}.{name}")
        else:
            value = getattr(import_module(places[name]), name)
        setattr(here, name, value)  # the next time nobody has to ask
        return value

    names = sorted(places)
    return get, lambda: names, [name for name in names if places[name] != package]


def _places(stub: Path) -> dict[str, str]:
    """For each name that the stub imports the module it comes from."""
    return {
        alias.name: str(node.module)
        for node in ast.parse(stub.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
