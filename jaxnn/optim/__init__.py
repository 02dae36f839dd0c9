"""Optimizers: what turns a gradient, or another reading, into an update."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
