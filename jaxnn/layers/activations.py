"""Activations: element by element, without parameters to learn. Each is a layer.

`relu` is a value, and so is `leaky_relu`; one with a parameter is called with it, as in
`leaky_relu(0.1)`. Shapes: x and y (*any,), of a floating dtype, which is kept; x of integers
raises TypeError. The derivative is taken from the output y where that is possible, so that the
residual is an array the next layer holds anyway. The smooth relatives of `relu` are in
`jaxnn.layers.rectifiers`.
"""

from typing import Annotated, Any

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Read
from jaxnn.core.ranges import Finite
from jaxnn.core.refusals import check_floating
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.elementwise import Activation


class Linear(Activation, name="linear"):
    """y = k x, dx = k dy. Residuals: none. k = 1 is the identity."""

    k: Annotated[float, Finite] = 1.0
    """Slope of the line."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        return self.k * x, ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return self.k * dy, ()


class Step(Activation, name="step"):
    """y = 1 where x >= k, else 0. dx = 0 everywhere, the jump at k included. Residuals: none.

    Source: McCulloch and Pitts 1943; Rosenblatt 1958.
    """

    k: Annotated[float, Finite] = 0.0
    """Where it jumps."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        return (x >= self.k).astype(x.dtype), ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return jnp.zeros_like(dy), ()


class Sigmoid(Activation, name="sigmoid"):
    """y = 1 / (1 + e^-x), dx = y (1 - y) dy. Residuals: y. The logistic function.

    Where y comes near 1, 1 - y has the digits that are left of it: dx is off by eps/2 dy at most,
    which is all of it beyond x = 17 in float32.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        y = jax.nn.sigmoid(x)
        return y, y

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        y = residuals
        return y * (1 - y) * dy, ()

    def second(self, residuals: Tree) -> Any:
        y = residuals
        return y * (1 - y) * (1 - 2 * y)


class Tanh(Activation, name="tanh"):
    """y = tanh x, dx = (1 - y^2) dy. Residuals: y.

    Where |y| comes near 1, dx is off by eps dy at most, as that of `sigmoid` is.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        y = jnp.tanh(x)
        return y, y

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        y = residuals
        return (1 - y * y) * dy, ()

    def second(self, residuals: Tree) -> Any:
        y = residuals
        return -2 * y * (1 - y * y)


class ReLU(Activation, name="relu"):
    """y = max(x, 0), dx = dy where y > 0, else 0: the derivative at the kink, x = 0, is 0.

    Residuals: y. Source: Nair and Hinton 2010.
    """

    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        y = jax.nn.relu(x)
        return y, y

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        y = residuals
        return jnp.where(y > 0, dy, 0), ()


class LeakyReLU(Activation, name="leaky_relu"):
    """y = x where x > 0, else slope x; dx = dy or slope dy likewise: at the kink, slope dy.

    Residuals: x. Source: Maas, Hannun and Ng 2013, section 2.
    """

    slope: Annotated[float, Finite] = 0.01
    """Slope below 0."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        return jnp.where(x > 0, x, self.slope * x), x

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        return jnp.where(x > 0, dy, self.slope * dy), ()


class Softmax(Activation, name="softmax"):
    """y_i = e^x_i / sum_j e^x_j over the last axis, dx = y (dy - <y, dy>). Residuals: y.

    dy is centred twice: where one y comes near 1, dy - <y, dy> there is what cancellation leaves.
    As the last layer under a square cost, or inside a network; a cross-entropy takes the logits
    and has its own softmax. Raises ValueError for an x without axes. Source: Bridle 1990.
    """

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_floating(self, x)
        if x.ndim < 1:
            raise ValueError(f"{self!r}: expected x (..., classes), got a scalar; give it an axis")
        e = jnp.exp(x - x.max(axis=-1, keepdims=True))
        y = e / e.sum(axis=-1, keepdims=True)
        return y, y

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        y = residuals
        d = dy - (y * dy).sum(axis=-1, keepdims=True)
        return y * (d - (y * d).sum(axis=-1, keepdims=True)), ()

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        y = residuals
        dx, rdx, _ = super().bend(params, residuals, None, dy, rdy, read)
        if tangents is not None:
            vy, _ = self.backward(params, residuals, tangents, read)
            along = (dy * vy).sum(axis=-1, keepdims=True)
            rdx = rdx + vy * (dy - (y * dy).sum(axis=-1, keepdims=True)) - y * along
        return dx, rdx, ()


linear = Linear()
"""y = k x; `linear` is the identity, `linear(k)` multiplies by k."""

step = Step()
"""y = 1 where x >= k, else 0, and no derivative; `step(k)` for another threshold than 0."""

sigmoid = Sigmoid()
"""y = 1 / (1 + e^-x), the logistic function; dx = y (1 - y) dy."""

tanh = Tanh()
"""y = tanh x; dx = (1 - y^2) dy."""

relu = ReLU()
"""y = max(x, 0); dx = dy where x > 0, else 0."""

leaky_relu = LeakyReLU()
"""y = x where x > 0, else slope x; `leaky_relu(slope)`, by default 0.01."""

softmax = Softmax()
"""y_i = e^x_i / sum_j e^x_j over the last axis; dx = y (dy - <y, dy>)."""
