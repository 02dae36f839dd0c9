"""Many models in one program: each becomes what it becomes alone, whatever they share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.bench.method import temporary
from jaxnn import (
    KFAC,
    SGD,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    optim,
    serial,
    softmax_cross_entropy,
)
from jaxnn.fast.columns import Columns
from jaxnn.training import together
from jaxnn.training.together import stack, train_epoch_together, unstack
from tests.compare import assert_trees_close

x64 = pytest.mark.usefixtures("x64")
N, S = 11, 10
NET = serial(Flatten(), serial(Dense(7), nn.sigmoid), Dense(3))


def data():
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(N, 5))), jnp.asarray(rng.integers(0, 3, N))


def orders(n_models=S):
    rng = np.random.default_rng(0)
    return np.stack([rng.permutation(N) for _ in range(n_models)])


def starts(net, optimizers, x):
    """A state for each optimizer, from a key of its own."""
    keys = (jax.random.key(i) for i in range(len(optimizers)))
    return [nn.start(net, o, key, x) for o, key in zip(optimizers, keys, strict=True)]


def everything(found):
    return found


def trained(found):
    """Without what the optimizer keeps: eigenvectors move by rounding over the gap between their
    eigenvalues, and what is made of them does not."""
    state, objective = found
    return state.params, objective


def assert_alike(
    net, optimizers, order, keys=None, penalties=None, batch_size=4, of=everything, **given
):
    """One after another and together the models get the same states and objectives."""
    x, y = data()
    alone = []
    for i, (optimizer, state) in enumerate(
        zip(optimizers, starts(net, optimizers, x), strict=True)
    ):
        rows = order if order.ndim == 1 else order[i]
        penalty, key = (each and each[i] for each in (penalties, keys))
        one = net, softmax_cross_entropy, optimizer, state, x, y, rows, key
        options = nn.Options(penalty=penalty, **given)
        alone.append(nn.train_epoch(*one, batch_size=batch_size, options=options))
    several = optimizers[0] if optimizers[0] is HALVE else stack(optimizers)
    states = stack(starts(net, optimizers, x))
    penalties, keys = (each and stack(each) for each in (penalties, keys))
    options = nn.Options(penalty=penalties, **given)
    all_ = net, softmax_cross_entropy, several, states, x, y, order, keys
    got = train_epoch_together(*all_, batch_size=batch_size, options=options)
    assert_trees_close(of(got), of(stack(alone)), rtol=1e-12)


def clipped(i):
    rate = nn.schedules.WarmUp(2 + i, nn.schedules.ExponentialDecay(0.5 + 0.1 * i, 0.9, every=3))
    sgd = SGD(rate, momentum=0.09 * i)
    return nn.chain(nn.clip_by_global_norm(0.1 + 0.1 * i), nn.Averaged(sgd, 0.1 * i))


# no bias in front of batch-norm: its gradient is 0, and what comes instead is rounding
BEHIND = serial(Dense(7, bias=False), BatchNorm(), nn.sigmoid, Dropout(0.3), Dense(3))
IN_FRONT = serial(BatchNorm(), Dense(7), nn.sigmoid, Dense(3))


@x64
@pytest.mark.parametrize(
    ("net", "order"), [(BEHIND, orders()[0]), (IN_FRONT, orders())], ids=["one order", "their own"]
)
def test_each_model_becomes_what_it_becomes_alone(net, order):
    assert_alike(
        net,
        [clipped(i) for i in range(S)],
        order,
        keys=[jax.random.key(20 + i) for i in range(S)] if net is BEHIND else None,
        penalties=[nn.elastic(0.01 * i, 0.02 * i) for i in range(S)],
        weights=np.linspace(0.1, 2.0, N),
    )


class Centred(SGD):
    """A rule for a matrix as a whole: the mean of every column is taken out of its gradient."""

    def rule(self, g, p, slots, eta, t):
        return super().rule(g - g.mean(0), p, slots, eta, t)


class Functions(NamedTuple):
    """A gradient transformation in the form other libraries have: a pair of functions."""

    init: Any
    update: Any


HALVE = Functions(
    lambda params: jnp.zeros((), int),
    lambda grads, state, params: (jax.tree.map(lambda g: -0.5 * g, grads), state + 1),
)


@x64
@pytest.mark.parametrize(
    ("optimizers", "given"),
    [
        ([Adam(0.01 * 1.2**i, b1=0.5) for i in range(17)], {"micro_batches": 2}),
        ([Centred(0.1 * 2**i) for i in range(3)], {}),
        ([HALVE] * 3, {"batch_size": 5}),  # without numbers, it stands for itself
        ([KFAC(SGD(0.1 * 2**i, momentum=0.2 * i), 0.1 * 3**i) for i in range(3)], {"of": trained}),
        ([KFAC(Adam(0.01 * 2**i), every=2, inverse="factored") for i in range(3)], {}),
        ([nn.chain(optim.track_noise_scale(), SGD(0.1 * 2**i)) for i in range(3)], {}),
        ([nn.chain(optim.clip_examples(0.5 + i, 0.3 * i), SGD(0.1)) for i in range(3)], {}),
    ],
    ids=[
        *("Adam", "whole matrices", "functions", "KFAC", "KFAC now and then"),
        *("noise scale", "clipped examples"),
    ],
)
def test_whatever_the_optimizer_looks_at(optimizers, given):
    assert_alike(NET, optimizers, orders()[0], **given)


@x64
def test_keys_that_draw_other_numbers_beside_others_are_used_alone():
    keys = [jax.random.key(i, impl="rbg") for i in range(3)]
    net = serial(Dropout(0.3), Dense(3))
    assert_alike(net, [SGD(0.5)] * 3, orders()[0], keys=keys)


def test_a_model_that_overflows_leaves_the_others_as_they_are():
    x, y = (jnp.asarray(v, jnp.float32) if v.ndim == 2 else v for v in data())

    def trained(rates):
        states = stack(starts(NET, [SGD(0.1)] * 3, x))
        optimizers, order = SGD(jnp.asarray(rates)), orders()[0]
        return train_epoch_together(
            NET, softmax_cross_entropy, optimizers, states, x, y, order, batch_size=2
        )

    broken, whole = unstack(trained([0.1, np.inf, 0.2])), unstack(trained([0.1, 0.3, 0.2]))
    assert not np.isfinite(broken[1][0].params[2].w).all()
    for i in (0, 2):
        assert_trees_close(broken[i], whole[i], rtol=0)


def test_a_plain_number_is_that_of_every_model_and_another_compiles_nothing():
    compiled = together._train_together._cache_size  # pyright: ignore[reportAttributeAccessIssue]
    x, y = data()

    def trained(optimizers, penalties):
        states = stack(starts(NET, [SGD(0.1, momentum=0.5)] * 3, x))
        old = states.params[2].w
        arguments = NET, softmax_cross_entropy, optimizers, states, x, y, orders(3)
        got = train_epoch_together(*arguments, batch_size=4, options=nn.Options(penalty=penalties))
        assert old.is_deleted()
        return got

    rates = jnp.asarray([0.1, 0.2, 0.3])
    got = trained(SGD(rates, momentum=0.5), nn.l2(0.1))
    before = compiled()
    want = trained(stack([SGD(float(r), momentum=0.5) for r in rates]), stack([nn.l2(0.1)] * 3))
    assert_trees_close(got, want, rtol=0)
    assert compiled() == before


@x64
def test_a_stack_is_frozen_and_evaluated_by_vmap():
    net, x, y = serial(Dense(7), BatchNorm(), Dense(3)), *data()
    states = [
        nn.train_step(net, softmax_cross_entropy, SGD(0.1), state, x, y)[0]
        for state in starts(net, [SGD(0.1)] * 3, x)
    ]

    def score(state):
        frozen, params = nn.freeze(net, state.params, state.statistics)
        metrics = (nn.accuracy,)
        return nn.evaluate(frozen, softmax_cross_entropy, params, x, y, metrics=metrics)

    assert_trees_close(jax.vmap(score)(stack(states)), stack(map(score, states)), rtol=1e-12)


def test_one_mini_batch_times_many_weights_is_one_product():
    forward = jax.vmap(
        lambda w, x: Columns(bias=False).forward(nn.Affine(w, None), x)[0], (0, None)
    )
    for width in (30, 32):  # which are multiplied from different sides
        w, x = jnp.zeros((8, width, 784)), jnp.zeros((10, 784))
        assert temporary(jax.jit(forward).lower(w, x).compile()) < w.nbytes / 8  # no copy of w
        program = str(jax.make_jaxpr(forward)(w, x))
        assert program.count("dot_general") == 1
        assert "transpose" not in program[: program.index("dot_general")]


def test_what_is_stacked_comes_apart_again():
    x, _ = data()
    states = starts(NET, [Adam(0.1)] * 3, x)
    for found, want in zip(unstack(stack(states)), states, strict=True):
        assert_trees_close(found, want, rtol=0)
    assert stack([SGD(1), SGD(0.5)]).learning_rate.dtype == jnp.float32
    (key,) = unstack(stack([jax.random.key(5)]))
    assert key == jax.random.key(5)


X, Y = data()
PENALTIES = nn.l2(jnp.ones(3))
STATES = stack(starts(NET, [SGD(0.1)] * 2, X))


def epoch(optimizers=None, states=STATES, order=None, batch_size=4, **given):
    order = orders()[0] if order is None else order
    arguments = NET, softmax_cross_entropy, optimizers or SGD(0.1), states, X, Y, order
    return train_epoch_together(*arguments, batch_size=batch_size, **given)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stack([]), "stack: expected one or more items, got none"),
        (lambda: stack([SGD(0.1), Adam(0.1)]), r"numbers alone, got .*SGD.* at \[0\] and .*Adam"),
        (lambda: stack([SGD(0.1), SGD(0.1, momentum=0.9)]), r"at \[1\]; train those one after"),
        (lambda: stack([nn.Affine(X, Y), nn.Affine(X, X)]), r"for \.b .*\(11,\), \(11, 5\)"),
        (lambda: unstack(()), "got shapes of no leaves; make one with jaxnn.stack"),
        (lambda: epoch(states=unstack(STATES)[0]), r"first axis of every leaf, got shapes \(\)"),
        (lambda: epoch(SGD(jnp.ones(3))), r"optimizers\.learning_rate: expected a number, or 2 of"),
        (
            lambda: epoch(options=nn.Options(penalty=nn.l2(jnp.ones(3)))),
            r"penalties\.l2: .* got shape \(3,\)",
        ),
        (
            lambda: epoch(keys=jax.random.key(0)),
            r"expected keys \(2,\), one for each .* shape \(\)",
        ),
        (lambda: epoch(order=orders(3)), r"or \(2, n\) with a row for each model, got \(3, 11\)"),
        (lambda: epoch(order=orders(2) + 1), r"row numbers in \[0, 11\) in order"),
        (lambda: epoch(batch_size=0), "batch_size to be a whole number >= 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
