"""Layers: each one class, forward and backward side by side; and layers made of layers."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
