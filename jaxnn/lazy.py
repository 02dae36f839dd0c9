"""Packages whose names are imported when the first is asked for: all that their `api` imports.

The pytest plugin lives in this package, and starting pytest must not cost an import of jax.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that offers the names of its module `api`."""

    def names() -> dict[str, Any]:
        api = vars(import_module(f"{package}.api"))
        public = {name: value for name, value in api.items() if not name.startswith("_")}
        return {"__all__": sorted(public), **public}

    def get(name: str) -> Any:
        if name == "__all__" or not name.startswith("__"):
            here = vars(sys.modules[package])
            here.update(names())
            if name in here:
                return here[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted({*vars(sys.modules[package]), *names()})
