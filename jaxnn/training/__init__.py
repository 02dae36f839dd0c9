"""Steps and epochs, many models at once, and the network frozen for inference."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
