"""Losses and penalties: what is made small, and its derivative."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
