"""What every kind of factor says of itself: its errors, what forming costs, its transpose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.core import (
    Formed,
    Masked,
    Outer,
    Rows,
    Scaled,
    Stacked,
    Sum,
    Tied,
    Transposed,
)
from jaxnn.readings import SquaredNorms, gram, second_moment, squared_norms, variance
from tests.compare import assert_trees_close, draw

A, D, E = (draw(jnp.zeros((2, 3, n)), n) for n in (5, 7, 11))
IDS = jnp.array([[1, 0, 1], [4, 2, 2]])
OUTER, ROWS = Outer(A, D), Rows(IDS, E, n=5)
MATRICES = {
    "outer": OUTER,
    "turned": Outer(A, D, transpose=True),
    "rows": ROWS,
    "formed": Formed(D),
    "masked": Masked(OUTER, draw(jnp.zeros((5, 7)), 1)),
    "tied": Tied((Outer(A, E), ROWS)),
    "transposed": Transposed(ROWS),
}


@pytest.mark.parametrize("factor", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("stacked", [False, True])
def test_a_transposed_factor_reads_as_the_transposed_gradient(factor, stacked):
    def both(factor):
        turned = factor.transposed()
        sums = jnp.array([0.5, 2.0])
        return [(f.contract(), f.contract(sums), f.each()) for f in (factor, turned)]

    if stacked:
        factor = Stacked(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), factor))
    plain, turned = jax.jit(both)(factor)
    swapped = tuple(leaf.swapaxes(-1, -2) for leaf in plain)
    assert_trees_close(turned, swapped, rtol=1e-6)
    assert_trees_close(factor.transposed().transposed().contract(), plain[0], rtol=1e-6)


@pytest.mark.parametrize("factor", MATRICES.values(), ids=MATRICES)
def test_every_reading_takes_the_transposed_factor(factor):
    def read(factor):
        norms = squared_norms(factor), SquaredNorms("each")(factor), gram.answer(factor)
        return norms, second_moment(factor), variance.answer(variance(factor))

    (norms, *moments), (turned, *others) = jax.jit(lambda f: [read(f), read(f.transposed())])(
        factor
    )
    assert_trees_close(turned, norms, rtol=1e-5)
    assert_trees_close(others, [moment.T for moment in moments], rtol=1e-5)


def test_errors_are_those_of_every_use():
    assert [e.shape for e in MATRICES["tied"].errors()] == [E.shape, E.shape]
    assert MATRICES["masked"].errors()[0] is D
    assert Transposed(ROWS).errors()[0] is E
    assert MATRICES["formed"].errors() == ()
    stacked = Stacked(jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), OUTER))
    assert_trees_close(stacked.errors()[0], jnp.stack([D, 2 * D]), rtol=0)


def test_a_size_is_what_one_example_takes():
    sizes = {name: factor.size() for name, factor in MATRICES.items()}
    assert sizes["outer"] == sizes["turned"] == sizes["masked"] == 35
    assert sizes["rows"] == sizes["transposed"] == 55
    assert sizes["tied"] == 110
    assert Stacked(jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), OUTER)).size() == 105
    assert Sum(D).size() == Scaled(D, D).size() == 7


@pytest.mark.parametrize("factor", [Sum(D), Scaled(D, D), Formed(np.ones((2, 3, 5, 7)))])
def test_what_is_no_matrix_is_not_transposed(factor):
    kind = type(factor).__name__
    with pytest.raises(TypeError, match=rf"^{kind}: expected the gradient of a matrix"):
        factor.transposed()
