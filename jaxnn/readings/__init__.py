"""Readings: what to make of the factors of a backward sweep. Adding one is adding one function.

    value, (grads, squares) = backprop(net, loss, params, x, y, read=(gradient, squared_norms))

`read` is a reading, several in a tuple, or a module-level function of a factor and of the weights c
of the examples in the objective, a number or (batch,): its answer takes the place of every
parameter. All of them come from one backward sweep.
"""

from jaxnn.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__)
