"""Strategies: what hypothesis may draw, and that what mistakes hide from is among it."""

import importlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.check.kinks.distance import kink_distance

hypothesis = pytest.importorskip("hypothesis")
given = hypothesis.given
from jaxnn.check.testing import strategies  # noqa: E402 - needs hypothesis

settings = hypothesis.settings(deadline=None, max_examples=50, derandomize=True, database=None)
few = hypothesis.settings(settings, max_examples=10)


def find(strategy, condition):
    """An example, the simplest, or hypothesis.errors.NoSuchExample."""
    return hypothesis.find(strategy, condition, settings=hypothesis.settings(database=None))


@settings
@given(strategies.shapes(2, 3, most=7))
def test_shapes_have_axes_of_one_and_of_primes(shape):
    assert 2 <= len(shape) <= 3
    assert set(shape) <= {1, 2, 3, 5, 7}


@pytest.mark.parametrize(
    "wanted",
    [
        lambda shape: 1 in shape,
        lambda shape: len(shape) > 1 and len(set(shape)) == 1 and shape[0] > 1,
        lambda shape: len(set(shape)) == 3,
    ],
    ids=["an axis of one", "square", "all different"],
)
def test_shapes_that_hide_and_show_mistakes_are_both_drawn(wanted):
    assert wanted(find(strategies.shapes(), wanted))


@settings
@given(strategies.scales(1e-2, 1e4))
def test_scales_stay_within_their_range(scale):
    assert 0.99e-2 <= scale <= 1.01e4


def test_scales_reach_both_ends():
    assert find(strategies.scales(), lambda scale: scale < 2e-3)
    assert find(strategies.scales(), lambda scale: scale > 500)


@settings
@given(strategies.arrays((5, 7), "bfloat16", strategies.scales()), strategies.batch(3, most=5))
def test_arrays_and_batches(a, x):
    assert (a.shape, a.dtype) == ((5, 7), jnp.bfloat16)
    assert len(np.unique(a)) > 10
    assert x.shape[0] in (1, 2, 3, 5)
    assert (x.shape[1:], x.dtype) == ((3,), np.float32)


def test_a_batch_of_one_is_drawn():
    assert find(strategies.batch(3), lambda x: len(x) == 1).shape == (1, 3)


NET = nn.serial(nn.Dense(3), nn.BatchNorm(), nn.relu)
X = jax.ShapeDtypeStruct((2, 5), jnp.float32)


@few
@given(strategies.params(NET, X))
def test_params_of_a_layer(params):
    drawn = jax.eval_shape(NET.init, jax.random.key(0), X)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), params) == jax.tree.map(
        lambda a: (a.shape, a.dtype), drawn
    )
    assert not any((leaf == 0).any() or (leaf == 1).any() for leaf in jax.tree.leaves(params))
    y, _ = NET.forward(params, np.ones(X.shape, np.float32) * np.arange(5, dtype=np.float32))
    assert y.shape == (2, 3)


@few
@given(strategies.params({"w": jnp.ones((2, 3)), "b": jnp.ones((2, 3)), "n": np.arange(3)}))
def test_params_of_a_tree_keep_its_integers(params):
    assert params["n"].tolist() == [0, 1, 2]
    assert not np.isclose(params["w"], params["b"]).any()


def test_params_of_a_layer_need_an_input():
    with pytest.raises(TypeError, match=r"expected params\(Dense\(3\), x\) with an x"):
        strategies.params(nn.Dense(3))


@settings
@given(strategies.ids(strategies.shapes(), count=1000))
def test_an_id_is_met_twice(ids):
    assert ids.dtype == np.int32
    assert ids.min() >= 0
    assert ids.max() < 1000
    assert ids.size == 1 or len(np.unique(ids)) < ids.size


@pytest.mark.parametrize(
    "wanted",
    [lambda m: m.all(), lambda m: not m.any(), lambda m: m.any() and not m.all()],
    ids=["full", "empty", "mixed"],
)
def test_masks_of_every_kind_are_drawn(wanted):
    mask = find(strategies.masks((2, 3)), wanted)
    assert mask.dtype == bool
    assert wanted(mask)


@settings
@given(strategies.masks(strategies.shapes()))
def test_masks_of_any_shape(mask):
    assert mask.shape
    assert mask.dtype == bool


def relu(w, x):
    return jnp.maximum(x @ w, 0)


@few
@given(
    strategies.clear_of_kinks(
        relu,
        hypothesis.strategies.tuples(strategies.arrays((5, 3)), strategies.batch(5, most=3)),
        margin=0.05,
    )
)
def test_draws_clear_of_kinks(args):
    assert kink_distance(relu, *args).distance > 0.05


def test_what_is_never_clear_of_kinks_is_rejected():
    always = strategies.clear_of_kinks(jnp.abs, hypothesis.strategies.just((jnp.zeros(2),)))
    with pytest.raises(hypothesis.errors.Unsatisfiable):
        find(always, lambda args: True)


def test_without_hypothesis_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, strategies.__name__)
    with pytest.raises(ImportError, match=r"strategies needs hypothesis: pip install 'jaxnn\["):
        importlib.import_module("jaxnn.check.testing.strategies")
