"""Gram matrices of per-example gradients: how much learning one example helps another."""

from typing import Any

import jax

from jaxnn.core.factors import Factor
from jaxnn.core.refusals import check_same_tree
from jaxnn.core.trees import over, wide
from jaxnn.core.types import Tree
from jaxnn.readings.products import crossed
from jaxnn.readings.reading import Reading, total


class Gram(Reading, name="gram"):
    """<g_n, g_m> for each parameter, (batch, batch), g_n = dl_n/dw of the unweighted l_n.

        Outer, one position   (A A^T) * (D D^T)

    `total` adds the parameters up. Micro-batches are taken in pairs, for which the factors of all
    are kept.
    """

    per_example = True
    concatenates = True

    def answer(self, state: Tree) -> Any:
        return over(Factor, lambda factor: crossed(wide(factor), wide(factor)), state)

    def join(self, states: Tree) -> Any:
        def pairs(factor: Factor) -> Any:
            one = wide(factor)
            blocks = jax.vmap(lambda f: jax.vmap(lambda g: crossed(f, g))(one))(one)
            k, _, n, _ = blocks.shape
            return blocks.swapaxes(1, 2).reshape(k * n, k * n)

        return over(Factor, pairs, states)


@jax.jit
def influence(train: Any, test: Any) -> Any:
    """<g_n, g_m> over all parameters for n of one batch and m of another, (n_train, n_test).

    Takes the `factors` of both batches, read with the same parameters. eta times entry (n, m) is,
    to first order, by how much a step at rate eta on l_n alone lowers l_m; the sum over the
    checkpoints of a training, each with its eta, is TracIn. Raises ValueError for factors of
    different networks. Source: Pruthi et al. 2020, section 3.1.
    """
    gradients = [over(Factor, lambda f: jax.eval_shape(f.contract), tree) for tree in (train, test)]
    check_same_tree("test", gradients[1], "train", gradients[0])
    return total(over(Factor, lambda f, g: crossed(wide(f), wide(g)), train, test))


gram = Gram()
"""<g_n, g_m> for all pairs of examples, (batch, batch)."""
