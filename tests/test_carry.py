"""Truncated backpropagation through time: training on sequences that come in parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Chunked, Dense, Options, Repeat, Skip, Tie, serial
from tests.compare import KEY, assert_trees_close, draw
from tests.private_layers import LSTM, CausalAttention
from tests.test_repeat import QUICK

x64 = pytest.mark.usefixtures("x64")
NET = Tie(
    serial(
        nn.Embedding(11, 5),
        Repeat(Skip(serial(LSTM(5), CausalAttention(5))), 2),
        Chunked(Dense(11), 4),
    ),
    ("[0].rows", "[2].w"),
)
ROWS = 3  # of a mini-batch, four of which make the data
LOSS, OPTIMIZER = nn.softmax_cross_entropy, nn.SGD(0.1, momentum=0.5)


def text():
    """(x, y, fresh): three rows of text in four parts of 3 symbols; one begins anew in part 3, and
    all do in part 1."""
    symbols = jnp.asarray(np.random.default_rng(1).integers(0, 11, (4 * ROWS, 4)))
    fresh = np.zeros(4 * ROWS, bool)
    fresh[[0, 1, 2, 2 * ROWS + 1]] = True
    return symbols[:, :-1], symbols[:, 1:], fresh


def started(seed=2):
    params = draw(jax.eval_shape(NET.init, KEY, text()[0]), seed)
    return nn.State(params, OPTIMIZER.init(params))


def one(options, state, part):
    rows = slice(part * ROWS, (part + 1) * ROWS)
    x, y, fresh = text()
    options = options._replace(fresh=fresh[rows])
    return nn.train_step(NET, LOSS, OPTIMIZER, state, x[rows], y[rows], options=options)


@x64
def test_steps_are_those_of_autodiff_of_the_truncated_forward():
    x, y, fresh = text()

    @functools.partial(jax.jit, compiler_options=QUICK)
    def by_autodiff(params, start, x, y):
        def objective(params):
            outputs, _, state = NET.resume(params, jax.lax.stop_gradient(start), x)
            chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), y[..., None], -1)
            return -chosen.mean(), state

        (value, state), grads = jax.value_and_grad(objective, has_aux=True)(params)
        return value, grads, state

    state = started()
    params, kept = state.params, state.optimizer
    anew = NET.begin(params, x[:ROWS])
    carry = anew
    for part in range(4):
        rows = slice(part * ROWS, (part + 1) * ROWS)
        # [0] of a state in Repeat is the layer: the examples lie along the second axis
        new = fresh[rows]
        old = jax.tree.map(
            lambda a, b, new=new: jnp.where(new.reshape(1, -1, *(1,) * (b.ndim - 2)), a, b),
            anew,
            carry,
        )
        value, grads, carry = by_autodiff(params, old, x[rows], y[rows])
        updates, kept = OPTIMIZER.update(grads, kept, params)
        params = jax.tree.map(jnp.add, params, updates)
        state, found = one(Options(), state, part)
        assert_trees_close((found, state.params), (value, params), rtol=1e-10)
        assert_trees_close(state.carry, carry, rtol=1e-10)


@x64
def test_an_epoch_is_its_steps_for_several_models_too():
    x, y, fresh = text()
    order, options = np.arange(4 * ROWS), Options(fresh=fresh)

    wanted, values = started(), []
    for part in range(4):
        wanted, value = one(Options(), wanted, part)
        values.append(value)
    given = x, y, order
    found, mean = nn.train_epoch(
        NET, LOSS, OPTIMIZER, started(), *given, batch_size=ROWS, options=options
    )
    assert_trees_close(found, wanted, rtol=1e-11)
    np.testing.assert_allclose(mean, np.mean(values), rtol=1e-12)

    models = nn.stack([started(5), started(2)])
    many, means = nn.train_epoch_together(
        NET, LOSS, OPTIMIZER, models, *given, batch_size=ROWS, options=options
    )
    assert_trees_close(nn.unstack(many)[1], wanted, rtol=1e-10)
    np.testing.assert_allclose(means[1], mean, rtol=1e-12)

    again, _ = nn.train_epoch(  # the state goes on from epoch to epoch
        NET, LOSS, OPTIMIZER, found, *given, batch_size=ROWS, options=options
    )
    assert jax.tree.structure(again) == jax.tree.structure(wanted)


class Counter(LSTM):
    """A state without examples."""

    def begin(self, params, x):
        return (*super().begin(params, x), jnp.zeros(()))

    def resume(self, params, state, x, key=None):
        y, residuals, after = super().resume(params, state[:2], x, key)
        return y, residuals, (*after, state[2] + 1)


def attempt(net: nn.Layer = NET, carry=None, batch_size=ROWS, order=4 * ROWS, **options):
    x, y, fresh = text()
    params = net.init(KEY, x)
    state = nn.State(params, OPTIMIZER.init(params), carry=carry)
    options = Options(fresh=fresh)._replace(**options)
    order = np.arange(order)
    return nn.train_epoch(
        net, LOSS, OPTIMIZER, state, x, y, order, batch_size=batch_size, options=options
    )


COUNTING = serial(nn.Embedding(11, 5), Counter(11))
REFUSED = [
    (lambda: attempt(fresh=[True]), ValueError, r"expected fresh \(12,\), .* got shape \(1,\)"),
    (lambda: attempt(micro_batches=3), ValueError, "expected micro_batches 1 with `fresh`, got 3"),
    (lambda: attempt(batch_size=5), ValueError, "whole mini-batches of 5 with `fresh`, got 12"),
    (
        lambda: attempt(carry=NET.begin(NET.init(KEY, text()[0]), text()[0])),
        ValueError,
        "expected state.carry of mini-batches of 3 rows",
    ),
    (
        lambda: attempt(
            COUNTING, carry=COUNTING.begin(COUNTING.init(KEY, text()[0]), text()[0][:3])
        ),
        ValueError,
        r"an axis for the examples in each array, got \(\) at \[1\]\[2\]; give it \(batch,\)",
    ),
    (
        lambda: attempt(serial(nn.OneHot(11), nn.BatchNorm(), Dense(11))),
        TypeError,
        r"^\[1\] BatchNorm\(\): expected a layer that takes each position by itself",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_cannot_go_on_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_without_fresh_a_state_stays_as_it_is():
    x, y, _ = text()
    state = started()
    carry = NET.begin(state.params, x[:ROWS])
    plain, _ = nn.train_step(NET, LOSS, OPTIMIZER, state, x[:ROWS], y[:ROWS])
    assert plain.carry is None
    kept, _ = nn.train_step(NET, LOSS, OPTIMIZER, state._replace(carry=carry), x[:ROWS], y[:ROWS])
    assert_trees_close(kept, plain._replace(carry=carry), rtol=0)


def test_a_step_that_is_skipped_leaves_the_state_finite():
    x, y, _ = text()
    optimizer = nn.optim.LossScaled(OPTIMIZER)
    params = started().params
    state = nn.State(params, optimizer.init(params), carry=NET.begin(params, x[:ROWS]))
    infinite = jax.tree.map(lambda p: p.at[(0,) * p.ndim].set(jnp.inf), params)
    options = Options(fresh=np.zeros(ROWS, bool))
    given = x[:ROWS], y[:ROWS]
    after, _ = nn.train_step(
        NET, LOSS, optimizer, state._replace(params=infinite), *given, options=options
    )
    assert_trees_close(after.carry, state.carry, rtol=0)
