"""Other ways back than the transpose: backward rules, and networks that go by them."""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
