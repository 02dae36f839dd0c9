"""Forward and backward through a network: backpropagation, micro-batches, prediction, summary."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
