"""Clipping: no example moves the parameters by more than a bound."""

from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten_with_path

from jaxnn.core.factors import Factor
from jaxnn.core.ranges import Positive
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Array, ArrayLike, Number, Tree
from jaxnn.core.values import static
from jaxnn.readings.norms import norms
from jaxnn.readings.reading import Reading, total


class clipped(Reading):  # written like a function, because it is used like one
    """sum_n c_n s_n g_n, every example's gradient scaled down to a bound, shaped like params:

        "flat"        s = min(1, bound / |g_n|),   |g_n| over all parameters
        "per_layer"   the same for each record of parameters with its own norm
        "automatic"   s = bound / (|g_n| + gamma)

    g_n = dl_n/dw of the unweighted l_n, and c_n its weight in the objective: with a "mean" and N
    examples, one of them moves the answer by no more than bound / N ("per_layer": that in each
    layer). A gradient of zero stays, and one that is not finite makes the answer nan: it shows.

    One forward and one backward sweep: the errors of all layers are kept, the norms taken of them,
    and each weight contracted with s_n d_n, so that no gradient of an example is formed unless its
    norm needs that. Micro-batches add up.

    Clipping alone is not private: that takes noise, and an account of it. Where examples mix, no
    bound holds for one of them, so it refuses every `mixing` unless `despite_mixing` is set. Raises
    ValueError for a bound <= 0, another `how`, and a network without parameters.
    Source: Abadi et al. 2016, algorithm 1; automatic: Bu et al. 2022, eq. 4.2.
    """

    bound: Annotated[Number, Positive]
    """Largest norm of an example."""
    how: Literal["flat", "per_layer", "automatic"] = static(default="flat")
    gamma: Annotated[Number, Positive] = 0.01
    """Added to the norm, in automatic clipping."""
    despite_mixing: bool = static(default=False)
    per_example = True

    def finish(self, readings: Tree, c: ArrayLike) -> Any:
        squares = over(Factor, lambda factor: norms(wide(factor)), readings)
        if self.how == "per_layer":
            squares = _by_record(squares)
        else:
            whole = total(squares)
            squares = jax.tree.map(lambda _: whole, squares)

        def contract(factor: Factor, squares: Array) -> Any:
            s = self._scales(jnp.sqrt(squares))
            # s d rounded to the dtype of narrow terms could pass the bound
            clipped = wide(factor).contract(jnp.asarray(c, s.dtype) * s)
            return clipped.astype(jax.eval_shape(factor.contract).dtype)

        return over(Factor, contract, readings, squares)

    def _scales(self, norm: Array) -> Any:
        bound = jnp.asarray(self.bound, norm.dtype)
        if self.how == "automatic":
            return bound / (norm + jnp.asarray(self.gamma, norm.dtype))
        return bound / jnp.maximum(norm, bound)


def _by_record(tree: Tree) -> Any:
    """Every leaf as the sum over all leaves with the same parent."""
    leaves, structure = tree_flatten_with_path(tree)
    sums: dict[Any, Any] = {}
    for path, leaf in leaves:
        sums[path[:-1]] = sums.get(path[:-1], 0) + leaf
    return structure.unflatten([sums[path[:-1]] for path, _ in leaves])
