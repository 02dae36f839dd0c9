"""The perceptron and its rules, threshold units, and networks of gates set by hand."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
