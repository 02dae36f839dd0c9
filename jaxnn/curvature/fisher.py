"""The Fisher matrix of every affine map as a Kronecker product: exact, sampled or empirical."""

from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Layer
from jaxnn.core.swept import Swept
from jaxnn.core.trees import over
from jaxnn.core.types import Array, ArrayLike, Key, Params, Tree
from jaxnn.core.values import static
from jaxnn.curvature.kronecker_factors import Kronecker, Shared, Sums
from jaxnn.curvature.roots import asked_of, n_columns, random_signs, unit
from jaxnn.losses.loss import Loss
from jaxnn.sweep.records import Batch

Source = Literal["exact", "sampled", "empirical"]


class Fisher(Kronecker):
    """`KroneckerFactors` of the Fisher matrix, which for a cross-entropy is G.

    `source` says from which errors: "exact" takes all columns of a root of G, a backward sweep
    each; "sampled" one mixture of them by random signs, drawn from the key `signs`; "empirical" the
    errors of the targets, as the reading `kronecker` does: they are no sample of the model's own,
    and vanish where it fits. Where `due` is False nothing goes back and the factors are zeros; it
    may be traced, and None means always. Micro-batches are merged by their weights.

    Raises ValueError for another word, and for "sampled" without a key.
    Source: Martens and Grosse 2015, sections 3 and 5; Botev, Ritter and Barber 2017, section 3.3.
    """

    source: Source = static(default="exact")
    signs: Any = None
    due: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source not in get_args(Source):
            raise ValueError(
                f"Fisher: expected source to be one of {get_args(Source)}, got {self.source!r}"
            )
        if self.source == "sampled" and self.signs is None:
            raise ValueError("Fisher: expected a key `signs` to sample with, got None")

    def part(self, rows: Tree) -> "Fisher":
        if self.signs is None:
            return self
        return self.replace(signs=jax.random.fold_in(self.signs, rows[0]))

    def pull(self, swept: Swept) -> Tree:
        told = self.counting(swept.own)
        if self.due is None:
            return told._pulled(swept)
        like = jax.eval_shape(lambda: told._pulled(swept))

        def zeros() -> Tree:
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)

        return jax.lax.cond(self.due, lambda: told._pulled(swept), zeros)

    def _pulled(self, swept: Swept) -> Tree:
        if self.source == "empirical":
            return super().pull(swept)
        exact, outputs = self.source == "exact", swept.outputs

        def sums(v: Array | int, c: ArrayLike) -> Tree:
            """Of column v. The weights of the examples are in the root already, so its c is 1, and
            only the mean over the inputs takes the c of the objective."""
            u = unit(v, outputs) if exact else random_signs(self.signs, outputs)
            return swept.back(swept.root(u), self.reader(c))

        def errors(v: Array | int) -> Tree:
            return over(Sums, lambda found: found.errors, sums(v, 1.0))

        def add(total: Tree, v: Array) -> tuple[Tree, None]:
            return jax.tree.map(jnp.add, total, errors(v)), None

        total, columns = errors(0), n_columns(outputs) if exact else 1
        if columns > 1:
            total = jax.lax.scan(add, total, jnp.arange(1, columns))[0]
        return over(Sums, lambda found, e: found._replace(errors=e), sums(0, swept.c), total)


def kflr(
    net: Layer,
    loss: Loss,
    params: Params,
    x: Tree,
    y: Tree,
    key: Key = None,
    *,
    weights: ArrayLike = None,
    shared: Shared = "expand",
) -> Any:
    """Kronecker factors of the Gauss-Newton matrix G, exact where those of K-FAC are sampled.

    The structure of params, filled as by the reading `kronecker`. Takes a backward sweep for each
    entry of an example's output. Arguments and errors as for `ggn_diagonal`.
    Source: Botev, Ritter and Barber 2017, section 3.3.
    """
    batch = Batch(x, y, weights, key)
    return asked_of("kflr", Fisher(shared), net, loss, params, batch)
