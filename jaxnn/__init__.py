"""Neural networks in JAX whose backward pass is written by hand. The names are in `jaxnn.api`."""

from typing import TYPE_CHECKING

from jaxnn.lazy import lazy

if TYPE_CHECKING:
    from jaxnn.api import *  # noqa: F403 - for type checkers

__getattr__, __dir__ = lazy(__name__)
