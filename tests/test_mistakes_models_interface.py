"""Planted mistakes of the interface: each has the property that it claims, and no other."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bench.mistakes import interface
from tests.compare import assert_trees_close
from tests.test_mistakes_models import (
    by_autodiff,
    drawn,
    expected_form,
    form,
    in_float64,
    last,
    wrong_leaves,
)

# the checker's own tests catch these mistakes; this shows that they are the mistakes they say
pytestmark = pytest.mark.slow


def mistake(number):
    """The interface model with that mistake, a fresh candidate of it, and its row."""
    (found,) = ((m, r) for m in interface.MODELS for r in m.mistakes if r.number == number)
    return found[0], found[0].plant(number), found[1]


def judged(number, candidate, model, args, dy):
    """Whether the gradients are right; if not, the last wrong leaf is the place named."""
    wrong = wrong_leaves(candidate.backward(args, dy), by_autodiff(model, args, dy))
    assert not wrong or last(model, args, wrong) == mistake(number)[2].place
    return not wrong


@pytest.mark.parametrize("number", [97, 98, 99, 100, 101])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@in_float64
def test_what_is_returned_has_another_form(number, dtype):
    model, candidate, row = mistake(number)
    args, dy = drawn(model, 0, dtype)
    returned, expected = form(candidate.backward(args, dy)), expected_form(args)
    assert {path for path in expected if returned.get(path, ()) != expected[path]} == {row.place}


def test_float64_is_returned_where_it_is_not_even_enabled():
    model, candidate, _ = mistake(97)
    args, dy = drawn(model, 0, np.float32)
    for backward in (candidate.backward, jax.jit(candidate.backward)):
        _, grads, _ = backward(args, dy)
        assert grads is not None
        assert grads["w"].dtype == np.float64


@in_float64
def test_an_argument_is_overwritten_only_if_it_can_be():
    model, candidate, _ = mistake(102)
    args, dy = drawn(model, 0)
    before = args[0].copy()
    expected = by_autodiff(model, args, dy)
    assert_trees_close(candidate.backward(args, np.asarray(dy))[1:], expected[1:], rtol=1e-12)
    assert not np.allclose(args[0], before)
    arrays = jax.tree.map(jnp.asarray, drawn(model, 0)[0])
    assert_trees_close(candidate.backward(arrays, dy), expected, rtol=1e-12)
    assert_trees_close(arrays[0], jnp.asarray(before), rtol=0)


@in_float64
def test_the_residual_of_the_call_before_is_used():
    model, candidate, _ = mistake(103)
    right = partial(judged, 103, candidate, model)
    assert right(*drawn(model, 0))
    assert right(*drawn(model, 0))
    assert not right(*drawn(model, 1))
    assert judged(103, model.plant(103), model, *drawn(model, 1))


@in_float64
def test_the_result_depends_on_the_number_of_calls():
    model, candidate, _ = mistake(104)
    assert judged(104, candidate, model, *drawn(model, 0))
    assert not judged(104, candidate, model, *drawn(model, 0))
    assert judged(104, model.plant(104), model, *drawn(model, 0))


@in_float64
def test_only_vmap_fails():
    model, candidate, _ = mistake(105)
    args, dy = drawn(model, 0)
    assert judged(105, candidate, model, args, dy)
    jax.jit(candidate.backward)(args, dy)
    with pytest.raises(NotImplementedError, match="vmapped"):
        jax.vmap(candidate.backward, (None, 0))(args, jnp.stack([dy, dy]))


@in_float64
def test_only_jit_makes_it_wrong():
    model, candidate, _ = mistake(106)
    args, dy = drawn(model, 0)
    assert judged(106, candidate, model, args, dy)
    traced = candidate._replace(backward=jax.jit(candidate.backward))
    assert not judged(106, traced, model, args, dy)


@in_float64
def test_only_the_second_order_is_wrong():
    model, candidate, row = mistake(107)
    args, dy = drawn(model, 0)
    assert judged(107, candidate, model, args, dy)
    along = partial(jax.jvp, primals=(args,), tangents=(drawn(model, 1)[0],))
    _, ours = along(lambda args: candidate.backward(args, dy))
    _, expected = along(lambda args: by_autodiff(model, args, dy))
    assert last(model, args, wrong_leaves(ours, expected)) == row.place
    _, right = along(lambda args: model.plant(0).backward(args, dy))
    assert_trees_close(right, expected, rtol=1e-12)


@in_float64
def test_the_forward_pass_is_another():
    model, candidate, _ = mistake(108)
    args, dy = drawn(model, 0)
    assert judged(108, candidate, model, args, dy)
    assert_trees_close(candidate.forward(*args), 1.01 * model.forward(*args), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@in_float64
def test_no_two_runs_are_equal(dtype):
    model, candidate, row = mistake(109)
    args, dy = drawn(model, 0, dtype)
    first, second = (candidate.backward(args, dy) for _ in range(2))
    assert last(model, args, wrong_leaves(first, second, rtol=0)) == row.place
    assert wrong_leaves(first, second, rtol=10 * np.finfo(dtype).eps) == set()


@in_float64
def test_a_batch_of_one_is_right():
    model, candidate, _ = mistake(110)
    (x, params, counts), dy = drawn(model, 0)
    assert not judged(110, candidate, model, (x, params, counts), dy)
    assert judged(110, candidate, model, (x[:1], params, counts[:1]), dy[:1])
