"""Immutable values: what is structure, what is a leaf, and that neither can be changed."""

import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import SGD, Dense
from jaxnn.core import Outer


def test_a_static_value_has_no_leaves_and_is_compared_by_value():
    assert jax.tree.leaves(nn.initializers.he) == []
    assert Dense(3) == Dense(3) != Dense(3, bias=False)
    assert len({Dense(3), Dense(3), Dense(4)}) == 2
    assert nn.initializers.normal(1.0) != nn.initializers.constant(1.0)


def test_the_numbers_of_a_pytree_are_leaves_and_its_flags_are_not():
    assert jax.tree.leaves(SGD(0.1, momentum=0.9, nesterov=True)) == [0.1, 0.9]
    assert jax.tree.structure(SGD(0.1)) != jax.tree.structure(SGD(0.1, momentum=0.5))
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(SGD(0.1, momentum=0.9))]
    assert [jax.tree_util.keystr(path) for path in paths] == [".learning_rate", ".momentum"]


def test_values_cannot_be_changed_but_replaced():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Dense(3).n_out = 4  # pyright: ignore
    assert SGD(0.1).replace(learning_rate=0.2) == SGD(0.2)


def test_a_pytree_takes_anything_in_place_of_its_leaves():
    assert jax.tree.map(lambda leaf: None, SGD(0.1)).learning_rate is None
    assert jax.tree.map(str, SGD(0.1)).learning_rate == "0.1"
    axes = jax.tree.map(lambda leaf: 0, SGD(0.1))
    rates = jax.vmap(lambda o: o.learning_rate * 2, in_axes=(axes,))(SGD(jnp.arange(3.0)))
    np.testing.assert_array_equal(rates, [0, 2, 4])


@pytest.mark.parametrize("value", [nn.serial(Dense(3), nn.relu), nn.Adam(0.1), nn.half_square])
def test_values_can_be_pickled(value):
    assert pickle.loads(pickle.dumps(value)) == value


def test_a_factor_keeps_its_flags_through_jit():
    factor = jax.jit(lambda a: Outer(a, a + 1, transpose=True))(jnp.ones((2, 3)))
    assert factor.transpose is True


@pytest.mark.parametrize("number", [np.float32("nan"), np.float64("inf"), float("-inf")])
def test_numbers_of_numpy_are_checked_too(number):
    with pytest.raises(ValueError, match="finite learning_rate"):
        SGD(number)
