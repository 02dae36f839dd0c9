"""The laws of the contract, each over the whole table of cases."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.check import assert_layer
from jaxnn.core.inputs import count
from jaxnn.core.walk import every_layer, mixing_layers
from tests.cases import CASES, PUBLIC, over
from tests.compare import KEY, assert_trees_close, by_hand, draw, setting
from tests.public import public
from tests.test_backward_rules import RULES

over_cases = over(CASES)
ONE_OF_EACH = {type(case.layer): case for case in PUBLIC if "64" not in repr(case.layer)}.values()


@over_cases
def test_the_gradient_checker_finds_nothing_wrong(case):
    x = case.x()  # not perturbed: some cases sit on kinks and ties, where a convention is kept
    params, _ = setting(case.layer, x)
    inputs = lambda seed: (draw(params, seed), x)  # noqa: E731
    assert_layer(case.layer, params, x, key=KEY, perturb=0.0, inputs=inputs)


@over_cases
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_shapes_and_dtypes_are_kept(case, dtype):
    x = case.x() if case.ids else case.x(dtype)
    params, dy = setting(case.layer, x)
    dx, readings = jax.eval_shape(by_hand, case.layer, params, x, dy)
    assert case.ids or dy.dtype == dtype
    wanted = jax.tree.map(lambda a: a if jnp.issubdtype(a.dtype, jnp.floating) else None, x)
    chex.assert_trees_all_equal_shapes_and_dtypes(dx, wanted)
    chex.assert_trees_all_equal_shapes_and_dtypes(readings, params)


@over(ONE_OF_EACH)
def test_numbers_of_64_bits_count_as_32_and_jax_has_nothing_to_warn_of(case):
    def widened(a):
        return a.astype(np.float64 if a.dtype.kind == "f" else np.int64)

    x = jax.tree.map(np.asarray, case.x())
    wide = jax.tree.map(widened, x)
    params = case.layer.init(KEY, wide)
    expected = jax.eval_shape(case.layer.init, KEY, x)
    chex.assert_trees_all_equal_shapes_and_dtypes(params, expected)
    y, residuals = case.layer.forward(params, wide, KEY)
    case.layer.backward(params, residuals, np.asarray(y), lambda f: f.contract())
    shape = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), wide)
    assert nn.summary(case.layer, wide) == nn.summary(case.layer, shape)
    assert nn.summary(case.layer, shape) == nn.summary(case.layer, x)


@over_cases
@pytest.mark.usefixtures("x64")
def test_residuals_are_arrays_that_cross_two_jits(case):
    x = case.x()
    params, dy = setting(case.layer, x)
    _, residuals = jax.jit(lambda p, x: case.layer.forward(p, x, KEY))(params, x)
    assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(residuals))
    apart = jax.jit(lambda p, r, dy: case.layer.backward(p, r, dy, lambda f: f.contract()))
    together = by_hand(case.layer, params, x, dy)
    assert_trees_close(apart(params, residuals, dy), together, rtol=1e-12)


@over_cases
def test_a_rebuilt_layer_is_equal_and_prints_as_the_call_that_makes_it(case):
    import tests.private_layers as private

    rebuilt = eval(repr(case.layer), {**public(), **vars(private)})
    assert rebuilt == case.layer
    assert hash(rebuilt) == hash(case.layer)
    assert jax.tree.leaves(case.layer) == []


def one_example(factor, c):
    """A reading written outside the library: dl_n/dw for each n."""
    return factor.each()


@over(c for c in CASES if not mixing_layers(c.layer))
@pytest.mark.usefixtures("x64")
def test_a_reading_from_outside_gives_per_example_gradients(case):
    x = case.x()
    params, dy = setting(case.layer, x)

    @jax.jit
    def both(params):
        def alone(n):
            return jax.grad(lambda p: (case.layer.forward(p, x, KEY)[0][n] * dy[n]).sum())(params)

        _, residuals = case.layer.forward(params, x, KEY)
        _, readings = case.layer.backward(params, residuals, dy, lambda f: one_example(f, 1.0))
        return readings, jax.vmap(alone)(jnp.arange(count(x)))

    readings, expected = both(params)
    assert_trees_close(readings, expected)
    summed = jax.tree.map(lambda leaf: leaf.sum(0), readings)
    assert_trees_close(summed, by_hand(case.layer, params, x, dy)[1], rtol=1e-12)


def test_the_table_has_every_public_layer():
    values = list(public().values())
    known = {type(v) for v in values if isinstance(v, nn.Layer)}
    known |= {v for v in values if isinstance(v, type) and issubclass(v, nn.Layer)}
    inside = (layer for case in PUBLIC + RULES for _, layer in every_layer(case.layer))
    assert known - {nn.Layer} <= {type(layer) for layer in inside}
