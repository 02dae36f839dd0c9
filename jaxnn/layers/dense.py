"""The dense layer."""

from typing import Annotated

import jaxnn.fast.draws as draws
from jaxnn.core.factors import Factor, Outer
from jaxnn.core.parameters import Affine
from jaxnn.core.ranges import Count
from jaxnn.core.refusals import check_features, check_weight, float_dtype, require_key
from jaxnn.core.types import Array, Key, Tree
from jaxnn.initializers import BiasInitializer, Initializer, glorot, zeros
from jaxnn.layers.linear_map import LinearMap


class Dense(LinearMap):
    """Affine map of the last axis.

        y = x w + b

    Shapes: x (*batch, n_in), w (n_in, n_out), b (n_out,), y (*batch, n_out); `Affine(w, None)`
    without `bias`. Parameters take the dtype of x. Backward:

        dx = dy w^T     dw = sum x (x) dy     db = sum dy

    summed over all axes in front of the last. Residuals: x. Where w, b and x move:

        vy = x vw + vx w + vb,   rdx = rdy w^T + dy vw^T,   rdw = sum x (x) rdy + vx (x) dy

    Raises ValueError for fewer than two axes or a last axis that is not n_in, TypeError for an x
    that is not floating point or not of the parameters' dtype.
    Source: Rumelhart, Hinton and Williams 1986, eqs. 1, 5 to 7.
    """

    n_out: Annotated[int, Count]
    """Number of outputs."""
    w_init: Initializer = glorot
    """How the weights start."""
    b_init: BiasInitializer = zeros
    """How the biases start."""
    bias: bool = True
    """Whether a bias is added."""

    def init(self, key: Key, x: Tree) -> Affine:
        check_features(self, x)
        key_w, key_b = draws.split(require_key(self, key, "init(key, x)"))
        dtype = float_dtype(x)
        w = self.w_init(key_w, (x.shape[-1], self.n_out), dtype)
        b = self.b_init(key_b, (self.n_out,), dtype) if self.bias else None
        return Affine(w, b)

    def check(self, params: Affine, x: Tree) -> None:
        check_features(self, x)
        check_weight(self, params.w, x)

    def times(self, x: Array, w: Array) -> Array:
        return x @ w

    def back(self, x: Array, w: Array, dy: Array) -> Array:
        return dy @ w.T

    def outer(self, x: Array, dy: Array) -> Factor:
        return Outer(x, dy)
