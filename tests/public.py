"""The public names of the library: those at the top and those of its rooms."""

from typing import Any

import jaxnn

APART = ("check", "sklearn")  # rooms with names of their own, tested by themselves


def rooms() -> list[str]:
    return [name for name in dir(jaxnn) if name not in (*jaxnn.__all__, *APART)]


def public() -> dict[str, Any]:
    """Every public name and its value."""
    names = {name: getattr(jaxnn, name) for name in jaxnn.__all__}
    for room in rooms():
        module = getattr(jaxnn, room)
        names |= {name: getattr(module, name) for name in module.__all__}
    return names
