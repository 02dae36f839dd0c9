"""Immutable values: what is structure, what is a leaf, and that neither can be changed."""

import dataclasses
import pickle
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import SGD, Dense
from jaxnn.core import Outer, Pytree
from jaxnn.core.ranges import Count, Fraction, Positive
from jaxnn.core.types import Number
from jaxnn.core.values import Static, _rules


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


class Ranged(Pytree):
    """Fields that say what they may hold."""

    share: Annotated[Number, Fraction] | None = None
    rate: Annotated[Number, Positive] | Callable[[Any], Any] = 1.0
    times: Annotated[int, Count] = 1
    how: Literal["up", "down"] = "up"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"share": 1.0}, r"a finite share in \[0, 1\), got 1.0"),
        ({"share": "half"}, "a number for share, got 'half'"),
        ({"rate": 0}, r"a finite rate in \(0, inf\], got 0"),
        ({"rate": float("inf")}, "a finite rate"),
        ({"rate": None}, "a number for rate, got None"),
        ({"times": 0}, "times to be a whole number >= 1, got 0"),
        ({"times": True}, "times to be a whole number >= 1, got True"),
        ({"how": "left"}, r"how to be one of \('up', 'down'\), got 'left'"),
    ],
)
def test_what_the_annotation_of_a_field_leaves_out_is_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=f"Ranged: expected {message}"):
        Ranged(**changes)


def test_what_the_annotation_of_a_field_says_is_taken():
    for share in (None, 0.0, np.float32(0.5), jnp.float32(7)):  # of arrays only the program knows
        assert Ranged(share=share).share is share
    assert Ranged(rate=abs, times=3, how="down") == Ranged(None, abs, 3, "down")


def declared(cls):
    """The class of values and those below it that the library defines."""
    found = [cls] if cls.__module__.startswith("jaxnn.") and cls not in (Static, Pytree) else []
    return found + [each for below in cls.__subclasses__() for each in declared(below)]


def test_every_default_is_one_that_its_own_annotation_allows():
    for name in dir(nn):  # a room is imported when it is asked for
        getattr(nn, name)
    checked = 0
    for cls in (*declared(Static), *declared(Pytree)):
        fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
        defaults = {field.name: field.default for field in fields}
        for name, rule in _rules(cls):
            if defaults[name] is not dataclasses.MISSING:
                rule.check(types.SimpleNamespace(**defaults), name)
                checked += 1
    assert checked > 40
