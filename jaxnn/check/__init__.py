"""The gradient checker: does this backward pass compute the derivative of that forward pass?

The names are in `jaxnn.check.api`.
"""

from typing import TYPE_CHECKING

from jaxnn.lazy import lazy

if TYPE_CHECKING:
    from jaxnn.check.api import *  # noqa: F403 - for type checkers

__getattr__, __dir__ = lazy(__name__)
