"""Neural networks in JAX whose backward pass is written by hand.

Layers, losses, optimizers, the sweep and training stand here; the rest in rooms, such as
`jaxnn.curvature.hvp`. The stub `__init__.pyi` lists the names.
"""

from jaxnn.lazy import lazy
from jaxnn.moved import MOVED

__getattr__, __dir__, __all__ = lazy(__name__, MOVED)
