"""Watching by values: notes come out of every combinator, and change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn.core.notes import seen
from jaxnn.core.watch import unwatched, watched, watched_throughout, without_notes
from jaxnn.feedback import FeedbackAlignment, WithBackward
from tests.compare import KEY, assert_trees_close
from tests.private_layers import TiedTable

X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), jnp.float32)
BLOCK = nn.serial(nn.Dense(4), nn.tanh)
NETWORKS = {
    "serial": nn.serial(BLOCK, nn.Dense(3)),
    "repeat": nn.serial(nn.Repeat(BLOCK, 3), nn.Dense(3)),
    "nested": nn.serial(nn.Repeat(nn.Repeat(BLOCK, 2), 2), nn.Dense(3)),
    "skip": nn.serial(nn.Skip(BLOCK), nn.Parallel((BLOCK, nn.tanh), "concat"), nn.Dense(3)),
    "narrow": nn.serial(nn.MixedPrecision(nn.serial(nn.BatchNorm(), BLOCK)), nn.Dense(3)),
    "rule": nn.serial(nn.Dense(4), WithBackward(nn.Dense(4), FeedbackAlignment()), nn.Dense(3)),
}


def outputs(params, x, key, y, residuals):
    return y


def errors(residuals, dy, dx, readings):
    return dy, dx


@pytest.mark.parametrize("net", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_watched_network_computes_what_it_does_unwatched(net):
    params = net.init(KEY, X)
    noted = watched(net, outputs, errors)

    @jax.jit
    def both(net):
        y, residuals = net.forward(params, X)
        dx, grads = net.backward(params, residuals, jnp.ones_like(y), nn.gradient)
        return y, dx, grads, net.observe(residuals)

    (*plain, _), (y, dx, grads, observed) = both(net), both(noted)
    assert_trees_close((y, dx, without_notes(grads)), tuple(plain), rtol=1e-6)
    forward, backward = seen(observed), seen(grads)
    assert [n.path for n in forward] == [n.path for n in backward]
    assert len(forward) == len({n.path for n in forward})
    np.testing.assert_array_equal(forward[-1].value, y)
    np.testing.assert_array_equal(backward[-1].value[0], np.ones_like(y))
    assert jax.tree.leaves(grads)  # notes stand beside readings, not in their place


def test_in_a_repeat_there_is_a_note_of_each_layer():
    net = NETWORKS["repeat"]
    params = net.init(KEY, X)
    _, residuals = watched(net, outputs).forward(params, X)
    dense, tanh, last = seen(watched(net, outputs).observe(residuals))
    assert (dense.stacked, tanh.stacked, last.stacked) == ((3,), (3,), ())
    x = X
    for i in range(3):
        w, b = (leaf[i] for leaf in params[0][0])
        z = x @ w + b
        assert_trees_close(dict(dense.each())[i,], z, rtol=1e-6)
        x = np.tanh(z)
        assert_trees_close(dict(tanh.each())[i,], x, rtol=1e-6)
    nested = NETWORKS["nested"]
    _, residuals = watched(nested, outputs).forward(nested.init(KEY, X), X)
    first = seen(watched(nested, outputs).observe(residuals))[0]
    assert first.stacked == (2, 2)
    assert [place for place, _ in first.each()] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_combinators_can_be_watched_too_inner_layers_first():
    net = NETWORKS["skip"]
    noted = watched_throughout(net, outputs)
    assert unwatched(noted) == net
    _, residuals = noted.forward(net.init(KEY, X), X)
    found = seen(noted.observe(residuals))
    assert found[-1].layer == net
    assert [n.path for n in found] == [
        *("[0][0]", "[0][1]", "[0]", "[0]"),  # of a Skip its branch shares the path
        *("[1][0][0]", "[1][0][1]", "[1][0]", "[1][1]", "[1]"),
        *("[2]", ""),
    ]


def test_a_combinator_that_observes_nothing_hides_no_notes():
    net = nn.serial(TiedTable(11, 5, nn.serial(nn.Dense(5), nn.tanh)), nn.Dense(3))
    ids = jnp.arange(6).reshape(2, 3)
    params = net.init(KEY, ids)
    assert net.observe(net.forward(params, ids)[1]) == ((), ())
    for noted, paths in (
        (watched(net, outputs), ["[0][0]", "[0][1]", "[1]"]),
        (watched_throughout(net, outputs), ["[0][0]", "[0][1]", "[0]", "[0]", "[1]", ""]),
    ):
        _, residuals = noted.forward(params, ids)
        assert [n.path for n in seen(noted.observe(residuals))] == paths
