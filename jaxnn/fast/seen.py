"""What was looked at before: nobody can change an array of JAX, so to look once is enough."""

import weakref
from typing import Any

import jax

_looked_at: dict[int, tuple[Any, Any]] = {}  # by the id of an array: a reference, and for what


def seen(array: Any, purpose: Any) -> bool:
    """Whether `remember` was called with this very array, for an equal purpose."""
    known = _looked_at.get(id(array))
    return known is not None and known[0]() is array and known[1] == purpose


def remember(array: Any, purpose: Any) -> None:
    """Note that an array was looked at; one of NumPy may change later, and is not noted."""
    if isinstance(array, jax.Array):
        place = id(array)  # another array may have it, once this one is gone
        _looked_at[place] = weakref.ref(array, lambda _: _looked_at.pop(place, None)), purpose
