"""The comparison of trees that the tests share is tested itself."""

import jax.numpy as jnp
import pytest

from tests.compare import assert_trees_close, draw

pytestmark = pytest.mark.usefixtures("x64")


def test_zero_is_compared_exactly():
    with pytest.raises(AssertionError, match="error 1e-300 of 0"):
        assert_trees_close(jnp.full(1, 1e-300), jnp.zeros(1))
    assert_trees_close(jnp.zeros(3), jnp.zeros(3))


def test_one_wrong_entry_in_a_million_is_caught():
    right = draw(jnp.zeros(1_000_000), 0)
    with pytest.raises(AssertionError, match="error"):
        assert_trees_close(right.at[123_456].multiply(1.5), right)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda t: {"a": t["a"]}, "structure"),
        (lambda t: t | {"b": t["b"][None]}, r"\['b'\]: shape \(1, 3\)"),
        (lambda t: t | {"b": t["b"].astype(jnp.float32)}, r"\['b'\]: dtype float32"),
        (lambda t: t | {"a": t["a"].at[0].set(jnp.nan)}, r"\['a'\]: not finite"),
        (lambda t: t | {"a": 1.001 * t["a"]}, r"\['a'\]: error"),
    ],
)
def test_a_difference_is_caught_and_named(change, place):
    tree = {"a": draw(jnp.zeros((2, 5)), 1), "b": draw(jnp.zeros(3), 2)}
    assert_trees_close(tree, tree)
    with pytest.raises(AssertionError, match=place):
        assert_trees_close(change(tree), tree)
