"""Where readings lose digits and where not; blocks; dtypes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, backprop, half_square, serial
from jaxnn.core.composed import Masked, Tied
from jaxnn.core.factors import Outer, Rows, Sum
from jaxnn.curvature import KroneckerFactors, kronecker
from jaxnn.optim.kfac_inverse import inverted, preconditioned
from jaxnn.readings import (
    SquaredNorms,
    blocks,
    noise_scale,
    second_moment,
    squared_norms,
    variance,
)
from jaxnn.readings.products import paired
from tests.compare import assert_trees_close, draw


@pytest.mark.usefixtures("x64")
def test_forming_gradients_in_blocks_changes_nothing(monkeypatch):
    a, d, p = draw(jnp.zeros((6, 2, 3)), 1), draw(jnp.zeros((6, 2, 5)), 2), jnp.arange(1.0, 7) / 21
    ids, mask = jnp.asarray([[0, 1], [1, 1], [2, 0]] * 2), draw(jnp.zeros((3, 5)), 3)
    tied = Tied((Outer(a, d), Rows(ids, d, n=3), Masked(Outer(d, a, transpose=True), mask)))

    def readings(factor):
        one = SquaredNorms("each")(factor), second_moment(factor), variance(factor, p)
        return one, nn.readings.directional(mask).finish(factor, 1.0)

    whole = jax.jit(lambda: readings(tied))()
    for limit, size in ((0, 1), (91, 2), (135, 3)):  # three parts of 15 numbers an example
        monkeypatch.setattr(blocks, "LIMIT", limit)
        assert blocks._plan(tied)[:2] == (6, size)
        assert_trees_close(jax.jit(lambda: readings(tied))(), whole, rtol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("inner", [(), (2,)])
def test_a_weight_used_under_two_masks_has_cross_terms(inner):
    a, d = draw(jnp.zeros((4, *inner, 3)), 1), draw(jnp.zeros((4, *inner, 5)), 2)
    one, two = (draw(jnp.zeros((3, 5)), seed) for seed in (3, 4))
    parts = Masked(Outer(a, d), one), Masked(Masked(Outer(2 * a, d), two), one), Outer(a, d)
    each = jnp.stack([part.each() for part in parts]).sum(0)
    assert_trees_close(squared_norms(Tied(parts)), (each**2).sum((1, 2)))


def test_the_gram_form_loses_what_cancels_over_positions_and_forming_keeps_it():
    rng = np.random.default_rng(0)
    a, d = rng.normal(size=(5, 2, 64)), rng.normal(size=(5, 2, 64))
    a[:, 1] = a[:, 0] * (1 + 1e-3 * rng.normal(size=(5, 64)))
    d[:, 1] = -d[:, 0]
    factor = Outer(jnp.asarray(a, jnp.float32), jnp.asarray(d, jnp.float32))
    a32, d32 = np.asarray(factor.a, np.float64), np.asarray(factor.d, np.float64)
    exact = ((a32.swapaxes(1, 2) @ d32) ** 2).sum((1, 2))
    errors = [
        np.abs(SquaredNorms(form)(factor) / exact - 1).max()  # pyright: ignore
        for form in ("each", "gram")
    ]
    assert errors[0] < 1e-4 < 1e-3 < errors[1]


def test_squared_norms_are_never_negative():
    rng = np.random.default_rng(1)
    a, d = rng.normal(size=(200, 1, 30)), rng.normal(size=(200, 1, 30))
    one, two = (jnp.asarray(np.concatenate(s, 1), jnp.float32) for s in ((a, a), (d, -d)))
    whole = Outer(one, two)
    halves = Tied((Outer(one[:, :1], two[:, :1]), Outer(one[:, 1:], two[:, 1:])))
    for factor in (whole, halves):
        assert (np.asarray(SquaredNorms("gram")(factor)) >= 0).all()


@pytest.mark.parametrize("ratio", [1e3, 1e4])
def test_the_variance_survives_a_mean_that_is_large_beside_it(ratio):
    rng = np.random.default_rng(2)
    a, d = (jnp.asarray(ratio + rng.normal(size=(50, n)), jnp.float32) for n in (7, 5))
    for factor in (Outer(a, d), Outer(d, a, transpose=True), Sum(d)):
        exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), factor.rows()[0])
        if isinstance(exact, Outer):
            left, right = (side[:, 0] for side in exact.sides())
            each = left[:, :, None] * right[:, None]
        else:
            each = exact.d
        got = variance.answer(variance(factor, 1.0))
        assert_trees_close(got, jnp.asarray(each.var(0), jnp.float32), rtol=1e-6)


def test_gradients_that_are_all_alike_have_no_variance():
    a, d = (jnp.tile(jnp.asarray([values], jnp.float32), (9, 1)) for values in ([0.1, 3], [7, 0.3]))
    for factor in (Outer(a, d), Outer(a[:, None], d[:, None]), Rows(jnp.ones(9, int), d, n=3)):
        got = variance.answer(variance(factor, 1.0))
        size = jnp.abs(factor.contract(1 / 9)).max() ** 2
        assert 0 <= float(got.min()) <= float(got.max()) <= 1e-12 * float(size)


def test_sums_of_squares_are_kept_in_float32():
    net = serial(Dense(3))
    x = draw(jnp.zeros((4, 5), jnp.bfloat16), 1)
    params = draw(jax.eval_shape(net.init, jax.random.key(0), x), 2)
    asked = (squared_norms, second_moment, variance, nn.gradient, nn.readings.clipped(1.0))
    _, found = backprop(net, half_square, params, x, jnp.zeros((4, 3), jnp.bfloat16), read=asked)
    dtypes = [{leaf.dtype for leaf in jax.tree.leaves(tree)} for tree in found]
    assert dtypes == [{jnp.dtype("float32")}] * 3 + [{jnp.dtype("bfloat16")}] * 2


@pytest.mark.parametrize(("positions", "form"), [(1, None), (39, "gram"), (40, "each")])
def test_auto_forms_gradients_where_they_are_smaller_than_products_of_positions(positions, form):
    a, d = (jax.ShapeDtypeStruct((8, positions, n), jnp.float32) for n in (64, 48))
    program = jax.jit(lambda a, d: squared_norms(Outer(a, d))).lower(a, d).as_text()
    assert ("tensor<8x64x48x" in program) == (form == "each")  # 2 T^2 against 64 * 48 = 3072
    assert (f"tensor<8x{positions}x{positions}x" in program) == (form == "gram")


@pytest.mark.parametrize(("positions", "formed"), [(5, False), (6, True)])
def test_products_of_two_uses_form_gradients_where_they_are_no_larger(positions, formed):
    a, d = (jax.ShapeDtypeStruct((4, positions, n), jnp.float32) for n in (9, 8))
    program = jax.jit(lambda a, d: paired(Outer(a, d), Outer(a, d))).lower(a, d).as_text()
    assert ("tensor<4x9x8x" in program) == formed  # 2 T^2 against 9 * 8 = 72
    assert (f"tensor<4x{positions}x{positions}x" in program) != formed


def ones(*shape):
    return np.ones(shape, np.float32)


ONE, TWO, MANY = (Outer(ones(4, t, 9), ones(4, t, 8)) for t in (1, 2, 7))
ROWS = Rows(np.ones((4, 2), np.int32), ones(4, 2, 8), n=9)
MASK, WEIGHTS = ones(9, 8), ones(4) / 4
FACTORS = nn.Affine(KroneckerFactors(ones(4, 4), ones(2, 2)), None)
GRADIENT = nn.Affine(ones(3, 2), ones(2))
IN_FULL = {  # a call, and how many gradients it forms on the way, with what a gradient has
    "norms": (lambda: SquaredNorms("gram")(TWO), 0),
    "norms of rows": (lambda: squared_norms(ROWS), 0),
    "norms under a mask": (lambda: squared_norms(Masked(ONE, MASK)), 0),
    "products": (lambda: paired(TWO, TWO), 0),
    "products that are formed": (lambda: paired(MANY, MANY), 2),
    "products of rows": (lambda: paired(ROWS, ROWS), 0),
    "products with rows": (lambda: paired(TWO, ROWS), 0),
    "products under a mask": (lambda: paired(Masked(ONE, MASK), ONE), 0),
    "products under a mask, formed": (lambda: paired(Masked(TWO, MASK), TWO), 2),
    "variance": (lambda: variance(ONE, WEIGHTS), 0),
    "variance, formed": (lambda: variance(MANY, WEIGHTS), 2),
    "moment": (lambda: second_moment(ONE), 0),
    "gram": (lambda: nn.readings.gram.answer(ONE), 0),
    "kronecker": (lambda: kronecker(ONE), 0),
    "noise": (lambda: noise_scale.answer(noise_scale.finish(ONE, WEIGHTS)), 1),
    "natural": (lambda: preconditioned(inverted(FACTORS, GRADIENT, 0.1, "exact"), GRADIENT), 0),
}


@pytest.mark.parametrize(("call", "formed"), IN_FULL.values(), ids=IN_FULL)
def test_sums_that_may_cancel_are_taken_in_full_precision(call, formed):
    """A CPU has but one precision; what GPUs and TPUs are asked for stands in the program."""
    program = jax.jit(call).lower().as_text()
    full = program.count("precision = [HIGHEST, HIGHEST]")
    assert full > 0
    assert program.count("dot_general") - full == formed
