"""Packages whose names are imported when the first is asked for.

The pytest plugin lives in this package, and starting pytest must not cost an import of jax.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package that offers the names of its module `api`."""

    def names() -> dict[str, Any]:
        api = import_module(f"{package}.api")
        return {name: getattr(api, name) for name in ("__all__", *api.__all__)}

    def get(name: str) -> Any:
        if name == "__all__" or not name.startswith("__"):
            here = vars(sys.modules[package])
            here.update(names())
            if name in here:
                return here[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted({*vars(sys.modules[package]), *names()})
