"""The gradient checker: does this backward pass compute the derivative of that forward pass?

The stub `__init__.pyi` lists the names.
"""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
