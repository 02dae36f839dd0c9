"""In which dtypes a program in mixed precision multiplies and adds, read from its text."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, MixedPrecision, Repeat, serial, softmax_cross_entropy
from jaxnn.core import Masked, Outer, Rows, Scaled, Stacked, Sum, Tied, Transposed
from jaxnn.core.trees import wide
from jaxnn.layers import Chunked
from jaxnn.readings import gram, noise_scale, second_moment, squared_norms, variance
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM

X = jax.ShapeDtypeStruct((6, 5, 3), "float32")
TYPE = r"tensor<((?:\d+x)*)(\w+)>"
DOT = re.compile(rf"dot_general.* : \({TYPE}, {TYPE}\) -> {TYPE}")


def products(net, weights):
    """(dtypes of the operands, shape and dtype of the result) of every product of a sweep."""
    params, y = jax.eval_shape(net.init, KEY, X), jnp.zeros(X.shape[:-1], int)

    @jax.jit
    def sweep(params, x, weights):
        return nn.backprop(net, softmax_cross_entropy, params, x, y, weights=weights)

    found = DOT.findall(sweep.lower(params, X, weights).as_text())
    return [({left, right}, shape[:-1], dtype) for _, left, _, right, shape, dtype in found]


BLOCK = serial(nn.Skip(Dense(7)), nn.BatchNorm(), nn.tanh)
NETS = {
    "dense": (MixedPrecision(serial(Dense(7), nn.relu, Dense(4))), {"3x7", "7x4"}),
    "chunked": (MixedPrecision(serial(Dense(7), Chunked(Dense(4), 12))), {"3x7", "7x4"}),
    "lstm": (MixedPrecision(serial(LSTM(7), Dense(4))), {"3x28", "7x28", "7x4"}),
    "repeat": (MixedPrecision(serial(Dense(7), Repeat(BLOCK, 3))), {"3x7", "7x7"}),
    "inside": (
        serial(MixedPrecision(Dense(7)), Repeat(MixedPrecision(BLOCK), 3)),
        {"3x7", "7x7"},
    ),
}


@pytest.mark.parametrize(("net", "gradients"), NETS.values(), ids=NETS)
@pytest.mark.parametrize("weights", [None, np.arange(6.0), np.ones((6, 5))], ids=np.shape)
def test_products_are_narrow_and_those_of_gradients_add_up_in_float32(net, gradients, weights):
    found = products(net, weights)
    assert {dtype for operands, _, _ in found for dtype in operands} == {"bf16"}
    assert {shape for _, shape, dtype in found if dtype == "f32"} == gradients
    assert {dtype for _, shape, dtype in found if shape not in gradients} == {"bf16"}


A, D, E = (draw(jnp.zeros((4, 3, n), jnp.bfloat16), n) for n in (5, 7, 5))
OUTER = Outer(A, D)
ROWS = Rows(jnp.array([[1, 0, 1], [4, 2, 2], [0, 0, 0], [9, 1, 3]]), E, n=5)
FACTORS = {
    "outer": OUTER,
    "one position": Outer(A[:, 0], D[:, 0]),
    "sum": Sum(D),
    "scaled": Scaled(A, E),
    "rows": ROWS,
    "masked": Masked(OUTER, draw(jnp.zeros((5, 7), jnp.bfloat16), 1)),
    "tied": Tied((Outer(A, E), Transposed(ROWS))),
    "stacked": Stacked(jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), OUTER)),
}


@pytest.mark.parametrize("factor", FACTORS.values(), ids=FACTORS)
def test_narrow_terms_are_read_as_wide_ones(factor):
    c = jnp.array([0.1, 3e-5, 0.0, 0.2])

    @jax.jit
    def read(factor):
        moments = second_moment(factor), variance.answer(variance(factor, c))
        alone = noise_scale.answer(noise_scale.finish([factor], c))
        sums = factor.contract(0.1), factor.each(), squared_norms(factor)
        return (sums, moments, gram.answer(factor), alone), factor.contract(c)

    narrow = factor.summed_in(jnp.dtype("float32")).scaled(jnp.float32(2.0**-10))
    assert_trees_close(narrow.contract() * 2.0**10, factor.summed_in("float32").contract())
    assert narrow.errors()[0].dtype == jnp.float32
    (found, weighted), (wanted, exact) = read(narrow), read(wide(narrow))
    assert_trees_close(found, wanted, rtol=1e-5)
    # c d is rounded to bfloat16 once more
    assert_trees_close(weighted, exact, rtol=2.0**-7)
