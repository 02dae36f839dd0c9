"""Planted mistakes of the larger models: right passes are right, each mistake is what it says."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.tree_util import keystr, tree_flatten_with_path, tree_leaves_with_path

from experiments.bench.mistakes import attention, images, interface, recurrent, sharding, tokens
from tests.compare import assert_trees_close, norm

# the checker's own tests catch these mistakes; this shows that they are the mistakes they say
pytestmark = pytest.mark.slow

VALUES = (
    *attention.MODELS,
    *tokens.MODELS,
    *images.MODELS,
    *sharding.MODELS,
    *recurrent.MODELS,
)
MODELS = (*VALUES, *interface.MODELS)
SEEDS = (0, 1, 2)
STARRED = {66, 67, 72, 74, 79, 81, 82, 89, 94, 95}
over_models = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
over_values = pytest.mark.parametrize("model", VALUES, ids=lambda model: model.name)
in_float64 = pytest.mark.usefixtures("x64")


def is_integer(a):
    return jnp.issubdtype(a.dtype, jnp.integer)


def drawn(model, seed, dtype: Any = np.float64):
    """The model's arguments in `dtype`, and a random cotangent. NumPy casts: nothing to compile."""

    def cast(a):
        real = np.asarray(a).astype(a.dtype if is_integer(a) else dtype)
        return real if isinstance(a, np.ndarray) else jnp.asarray(real)

    args = jax.tree.map(cast, model.draw(seed))
    y = jax.eval_shape(model.forward, *args)
    return args, jnp.asarray(np.random.default_rng([seed, 1]).normal(size=y.shape), y.dtype)


def by_autodiff(model, args, dy):
    """The gradients of all arguments, None for one of integers."""
    grads = jax.vjp(model.forward, *args)[1](dy)
    return tuple(None if getattr(g, "dtype", 0) == jax.dtypes.float0 else g for g in grads)


def order_of_use(model, args):
    """The paths of the arguments, in the order in which the forward pass first reads them."""
    program = jax.make_jaxpr(model.forward)(*args).jaxpr
    read = [v for equation in program.eqns for v in equation.invars]
    first = [next(i for i, v in enumerate(read) if v is arg) for arg in program.invars]
    paths = [keystr(path) for path, _ in tree_leaves_with_path(args)]
    return [path for _, path in sorted(zip(first, paths, strict=True))]


def wrong_leaves(grads, expected, rtol=1e-6):
    """The paths of leaves that are off by more than `rtol` of their norm."""
    theirs, structure = tree_flatten_with_path(expected)
    ours, ours_structure = tree_flatten_with_path(grads)
    assert ours_structure == structure
    wrong = set()
    for (path, e), (_, a) in zip(theirs, ours, strict=True):
        assert a.shape == e.shape
        assert a.dtype == e.dtype
        if norm(np.asarray(a) - np.asarray(e)) > rtol * norm(np.asarray(e)):
            wrong.add(keystr(path))
    return wrong


def form(grads):
    """Shape and dtype of every gradient by its path; None where there is none."""
    leaves = tree_leaves_with_path(grads, is_leaf=lambda leaf: leaf is None)
    return {keystr(path): a if a is None else (a.shape, a.dtype) for path, a in leaves}


def expected_form(args):
    """The form of the arguments, with None for integers."""
    return form(tuple(None if hasattr(a, "dtype") and is_integer(a) else a for a in args))


def leaf(tree, place):
    """The leaf with that path."""
    (found,) = (a for path, a in tree_leaves_with_path(tree) if keystr(path) == place)
    return np.asarray(found)


def last(model, args, wrong):
    """The last of the wrong leaves, as the forward pass uses them."""
    return max(wrong, key=order_of_use(model, args).index)


def test_every_row_is_planted_once():
    numbers = sorted(m.number for model in MODELS for m in model.mistakes)
    assert numbers == list(range(59, 115))


def test_causes_are_given_for_the_starred_rows_and_no_others():
    causes = {m.number: m.cause for model in MODELS for m in model.mistakes if m.cause}
    assert set(causes) == STARRED
    words = {word for cause in causes.values() for word in cause.split("|")}
    assert words == {"scale", "swapped", "permuted", "transposed"}
    assert not any(m.equivalent for model in MODELS for m in model.mistakes)


@over_models
def test_an_unknown_number_is_refused(model):
    with pytest.raises(ValueError, match=f"{model.name}: expected a mistake out of .*, got 58"):
        model.plant(58)


@functools.cache
def results(name):
    """[(args, {number: gradients}, those of autodiff)] of every seed, by one program."""
    (model,) = (model for model in MODELS if model.name == name)
    numbers = [0, *(row.number for row in model.mistakes if model in VALUES)]

    @jax.jit
    def program(args, dy):
        planted = {number: model.plant(number).backward(args, dy) for number in numbers}
        return planted, by_autodiff(model, args, dy)

    settings = (drawn(model, seed) for seed in SEEDS)
    return [(args, *program(args, dy)) for args, dy in settings]


@over_models
@in_float64
def test_the_right_backward_agrees_with_autodiff(model):
    for _, planted, expected in results(model.name):
        assert_trees_close(planted[0], expected, rtol=1e-12)


@over_models
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_shapes_and_dtypes_are_kept(model, dtype):
    args, dy = drawn(model, 0, dtype)
    assert dy.dtype == dtype
    grads = jax.eval_shape(model.plant(0).backward, args, dy)
    assert form(grads) == expected_form(args)


@over_values
@in_float64
def test_each_mistake_is_wrong_at_its_place_and_by_its_factor(model):
    factors = [f for c in model.constants.values() for f in (c, 1 / c)]
    for args, planted, expected in results(model.name):
        for row in model.mistakes:
            grads = planted[row.number]
            wrong = wrong_leaves(grads, expected)
            assert wrong, row
            assert last(model, args, wrong) == row.place, row
            if row.cause == "scale":
                ours, right = leaf(grads, row.place), leaf(expected, row.place)
                assert any(norm(ours - f * right) < 1e-12 * norm(right) for f in factors), row


def in_float32(model, number, args, dy):
    """The gradients with that mistake, and those of autodiff."""
    backward = model.plant(number).backward
    return jax.jit(lambda *given: (backward(*given), by_autodiff(model, *given)))(args, dy)


def test_means_of_means_are_right_where_every_device_has_as_many():
    (model,) = sharding.MODELS
    (x, params, n_valid), dy = drawn(model, 0, np.float32)
    args = (x, params, np.full_like(n_valid, 3))
    assert_trees_close(*in_float32(model, 96, args, dy), rtol=1e-6)


def test_the_occurrences_undo_the_average():
    (model,) = tokens.MODELS
    args, dy = drawn(model, 0, np.float32)
    pair = in_float32(model, 77, args, dy)
    averaged, expected = (leaf(grads, "[0]['table']") for grads in pair)
    assert model.known is not None
    assert_trees_close(averaged * model.known(*args)["occurrences"], expected, rtol=1e-6)


def test_no_window_has_a_tie_in_bfloat16():
    for seed in range(20):
        (x,) = images.MODELS[-1].draw(seed)
        windows = np.asarray(x.astype(jnp.bfloat16), np.float32).reshape(2, 2, 2, 3, 3, 5)
        top = np.sort(windows.transpose(0, 1, 3, 5, 2, 4).reshape(-1, 6))[:, -2:]
        assert (top[:, 1] - top[:, 0]).min() > 0.3
