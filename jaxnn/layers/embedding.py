"""Layers that read integers: words, classes, categories."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax.dtypes import canonicalize_dtype

from jaxnn.core.factors import Rows
from jaxnn.core.layer import Layer, Read
from jaxnn.core.parameters import Table
from jaxnn.core.ranges import Count
from jaxnn.core.refusals import check_record, check_single, require_key
from jaxnn.core.types import Key, Params, Tree
from jaxnn.initializers import Initializer, normal


class Embedding(Layer):
    """A row of a table for each id: y = rows[x], which is one_hot(x) rows without the product.

        drows = scatter-add of dy into rows x: an id that is met k times gets k terms

    Shapes: x (batch, ...) ids in [0, n), y (batch, ..., width), rows (n, width) of `dtype`, by
    default JAX's default float. Integers have no derivative: dx is None. Residuals: x.

    An id outside [0, n) has no row: it gives nan, since values cannot be checked inside jit, and
    adds nothing to drows. Raises TypeError for an x that is not of integers.
    Source: Bengio et al. 2003, section 2.
    """

    n: Annotated[int, Count]
    """Number of ids."""
    width: Annotated[int, Count]
    """Entries of a row."""
    init_rows: Initializer = normal(1.0)
    """How the rows start."""
    dtype: str | None = None
    """Floating-point dtype of the rows, such as bfloat16."""
    curved = False

    def init(self, key: Key, x: Tree) -> Table:
        key = require_key(self, key, "init(key, x)")
        dtype = canonicalize_dtype(self.dtype or float)
        return Table(self.init_rows(key, (self.n, self.width), dtype))

    def forward(self, params: Table, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_record(self, params, Table)
        check_integers(self, x)
        rows = params.rows.at[x]
        return rows.get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False), x

    def backward(self, params: Table, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        x = residuals
        return None, Table(read(Rows(x, dy, n=self.n)))

    def push(self, params: Table, residuals: Tree, vparams: Table, vx: Tree) -> tuple[Tree, Tree]:
        return self.forward(vparams, residuals)[0], None  # y is linear in rows

    def bend(
        self, params: Table, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        return None, None, self.backward(params, residuals, rdy, read)[1]


class OneHot(Layer):
    """y_k = 1 where k = x, else 0: ids (batch, ...) to (batch, ..., n); `y.argmax(-1)` inverts it.

    An id outside [0, n) gives zeros. Integers have no derivative: dx is None. y is of `dtype`, by
    default JAX's default float. Residuals: none. Raises TypeError for an x that is not of integers.
    """

    n: Annotated[int, Count]
    """Number of ids."""
    dtype: str | None = None
    """Floating-point dtype of the outputs, such as bfloat16."""
    curved = False

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        check_integers(self, x)
        return jax.nn.one_hot(x, self.n, dtype=canonicalize_dtype(self.dtype or float)), ()

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return None, ()


def check_integers(layer: Layer, x: Tree) -> None:
    """Refuse an x that is not of integers."""
    check_single(layer, x)
    if not jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(
            f"{layer!r}: expected x of integer ids, got {x.dtype} of shape {x.shape}; "
            "convert with x.astype(int)"
        )
