"""What everything is made of: values, parameters, factors, and the contract of a layer.

With these names a layer, a factor or a record of one's own is written, see `jaxnn/README.md`.
"""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
