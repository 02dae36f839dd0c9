"""Steps and epochs against autodiff, batch by batch; what is compiled how often; prediction."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import (
    SGD,
    Adam,
    BatchNorm,
    Dense,
    Dropout,
    Layer,
    Pixels,
    half_square,
    serial,
    softmax_cross_entropy,
)
from tests.compare import KEY, assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")
NET = serial(Dense(7), nn.sigmoid, Dense(3))
N = 11


def data(n=N, features=5, classes=3):
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(n, features))), jnp.asarray(rng.integers(0, classes, n))


def autodiff_step(net, optimizer, state, x, y, key=None, l2=0.0):
    """The same step with `jax.grad` of the plain forward."""

    def objective(params):
        log_p = jax.nn.log_softmax(net.forward(params, x, key)[0])
        squares = sum((p.w**2).sum() for p in params if isinstance(p, nn.Affine))
        return -log_p[jnp.arange(len(y)), y].mean() + l2 / 2 * squares

    value, grads = jax.value_and_grad(objective)(state.params)
    updates, slots = optimizer.update(grads, state.optimizer, state.params)
    params = jax.tree.map(jnp.add, state.params, updates)
    return state._replace(params=params, optimizer=slots), value


@pytest.mark.parametrize("optimizer", [SGD(0.5), nn.KFAC(SGD(0.5))], ids=repr)
def test_a_start_from_numbers_of_64_bits_is_one_of_32(optimizer):
    x = np.zeros((2, 5))
    wide, narrow = (nn.start(NET, optimizer, KEY, a) for a in (x, x.astype(np.float32)))
    chex.assert_trees_all_equal_shapes_and_dtypes(wide, narrow)


@x64
@pytest.mark.parametrize("optimizer", [SGD(0.5), SGD(0.3, momentum=0.9), Adam(0.05)], ids=repr)
def test_ten_steps_equal_ten_steps_with_autodiff(optimizer):
    x, y = data()
    ours = theirs = nn.start(NET, optimizer, KEY, x)
    reference = jax.jit(lambda s: autodiff_step(NET, optimizer, s, x, y, l2=0.1))
    for _ in range(10):
        ours, value = nn.train_step(
            NET,
            softmax_cross_entropy,
            optimizer,
            ours,
            x,
            y,
            options=nn.Options(penalty=nn.l2(0.1)),
        )
        theirs, wanted = reference(theirs)
        assert_trees_close(value, wanted)
    assert_trees_close(ours[:2], theirs[:2])


@x64
@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
def test_an_epoch_is_its_batches_one_after_the_other_the_small_last_one_too(batch_size):
    net = serial(Dense(7, bias=False), BatchNorm(), Dense(3)) if batch_size > 1 else NET
    x, y = data(10 if batch_size == 4 else N)
    order = np.random.default_rng(0).permutation(len(x))
    state = nn.start(net, SGD(0.5, momentum=0.5), KEY, x)
    want, total = state, 0.0
    for at in range(0, len(x), batch_size):
        rows = order[at : at + batch_size]
        want, value = autodiff_step(net, SGD(0.5, momentum=0.5), want, x[rows], y[rows])
        total += float(value) * len(rows) / len(x)
    got, mean = nn.train_epoch(
        net,
        softmax_cross_entropy,
        SGD(0.5, momentum=0.5),
        state,
        x,
        y,
        order,
        batch_size=batch_size,
    )
    assert_trees_close(got[:2], want[:2])
    np.testing.assert_allclose(float(mean), total, rtol=1e-12)


@x64
def test_example_weights_travel_with_their_rows_through_an_epoch():
    x, y = data()
    w = np.linspace(0.1, 2.0, N)
    order = np.random.default_rng(0).permutation(N)
    state = want = nn.start(NET, SGD(0.5), KEY, x)
    for at in range(0, N, 4):
        rows = order[at : at + 4]
        want, _ = nn.train_step(
            NET,
            softmax_cross_entropy,
            SGD(0.5),
            want,
            x[rows],
            y[rows],
            options=nn.Options(weights=w[rows]),
        )
    got, _ = nn.train_epoch(
        NET,
        softmax_cross_entropy,
        SGD(0.5),
        state,
        x,
        y,
        order,
        batch_size=4,
        options=nn.Options(weights=w),
    )
    assert_trees_close(got, want)


def test_random_layers_get_another_key_at_every_step():
    net = serial(Dropout(0.5), Dense(3, bias=False))
    x, y = jnp.ones((6, 5)), jnp.zeros(6, int)
    state = nn.start(net, SGD(0.0), KEY, x)
    masks = jax.random.split(KEY, 4)[:3]
    losses = [
        nn.backprop(net, softmax_cross_entropy, state.params, x[:2], y[:2], key)[0] for key in masks
    ]
    assert len({float(v) for v in losses}) == 3
    _, mean = nn.train_epoch(
        net, softmax_cross_entropy, SGD(0.0), state, x, y, np.arange(6), KEY, batch_size=2
    )
    np.testing.assert_allclose(float(mean), np.mean(losses), rtol=1e-6)


def test_bytes_are_converted_inside_the_step():
    images = np.random.default_rng(0).integers(0, 256, (6, 2, 3)).astype(np.uint8)
    y = jnp.asarray([0, 1, 2, 0, 1, 2])
    # a layer in front of both, so that both split the key alike
    net, plain = serial(Pixels(), nn.Flatten(), NET), serial(nn.linear, nn.Flatten(), NET)
    values = []
    for n, x in ((net, images), (plain, images / np.float32(255))):
        state = nn.start(n, SGD(0.5), KEY, x)
        _, value = nn.train_epoch(
            n, softmax_cross_entropy, SGD(0.5), state, x, y, np.arange(6), batch_size=4
        )
        values.append(float(value))
    np.testing.assert_allclose(values[0], values[1], rtol=1e-6)


def test_the_state_given_to_an_epoch_is_donated():
    x, y = data()
    state = nn.start(NET, SGD(0.5), KEY, x)
    old = state.params[0].w
    nn.train_epoch(NET, softmax_cross_entropy, SGD(0.5), state, x, y, np.arange(N), batch_size=4)
    assert old.is_deleted()


class Functions(NamedTuple):
    """A gradient transformation in the form other libraries have: a pair of functions."""

    init: Any
    update: Any


def test_a_pair_of_functions_can_stand_for_an_optimizer():
    def update(grads, state, params):
        return jax.tree.map(lambda g: -0.5 * g, grads), state + 1

    theirs = Functions(lambda params: jnp.zeros((), int), update)
    x, y = data()
    states = []
    for optimizer in (theirs, SGD(0.5)):
        state = nn.start(NET, optimizer, KEY, x)
        state, _ = nn.train_step(NET, softmax_cross_entropy, optimizer, state, x, y)
        states.append(
            nn.train_epoch(
                NET, softmax_cross_entropy, optimizer, state, x, y, np.arange(N), batch_size=4
            )[0]
        )
    assert_trees_close(states[0].params, states[1].params, rtol=1e-6)
    assert int(states[0].optimizer) == 4


class Traced(Layer):
    """The identity; counts how often it is traced."""

    counts = []  # noqa: RUF012 - shared on purpose

    def forward(self, params, x, key=None):
        self.counts.append(1)
        return x, ()

    def backward(self, params, residuals, dy, read):
        return dy, ()


def test_what_is_built_anew_does_not_trace_anew():
    x, y = data(8)
    x = x.astype(jnp.float32)

    def once(rate, seed):
        net = serial(
            Dense(7), Traced(), nn.leaky_relu(0.2), Dense(3, w_init=nn.initializers.normal(0.1))
        )
        loss = softmax_cross_entropy.replace(smoothing=0.1)
        optimizer = nn.chain(
            nn.clip_by_global_norm(rate), Adam(nn.schedules.CosineDecay(rate, 100))
        )
        state = nn.start(net, optimizer, jax.random.key(seed), x)
        state, _ = nn.train_step(
            net, loss, optimizer, state, x, y, options=nn.Options(penalty=nn.l2(rate))
        )
        nn.backprop(net, loss, state.params, x, y)
        order = np.random.default_rng(seed).permutation(8)
        state, _ = nn.train_epoch(net, loss, optimizer, state, x, y, order, batch_size=4)
        nn.evaluate(net, loss, state.params, x, y, metrics=(nn.accuracy,))
        nn.predict(net, state.params, x)

    once(0.1, 0)
    with jax.log_compiles(False):
        Traced.counts.clear()
        once(0.2, 1)
        once(0.3, 2)
    # start runs forward on shapes alone, twice for each network; nothing else traces again
    assert len(Traced.counts) == 4


X, Y = data()
STATE = nn.start(NET, SGD(0.1), KEY, X)


def epoch(**change):
    given = {"order": np.arange(N), "batch_size": 4} | change
    return nn.train_epoch(
        NET, softmax_cross_entropy, SGD(0.1), STATE, X, Y, given.pop("order"), **given
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: epoch(batch_size=0), "batch_size to be a whole number >= 1, got 0"),
        (lambda: epoch(batch_size=2.5), "got 2.5"),
        (lambda: epoch(order=np.arange(N) + 1), r"row numbers in \[0, 11\) in order"),
        (lambda: epoch(order=np.zeros(0, int)), r"order \(n,\) of row numbers"),
        (lambda: epoch(order=np.zeros(3, np.float32)), r"row numbers, got float32 \(3,\)"),
        (lambda: epoch(order=[0, "a"]), r"row numbers, got <U21 \(2,\)"),
        (lambda: epoch(order=np.array([0, "a"], object)), r"row numbers, got object \(2,\)"),
        (lambda: epoch(order=jnp.array([0, N])), r"row numbers in \[0, 11\) in order"),
        (lambda: epoch(order=np.zeros((3, 1), int)), r"got int\d+ \(3, 1\)"),
        (
            lambda: nn.train_step(
                NET, half_square.replace(reduction="none"), SGD(0.1), STATE, X, draw(X[:, :3], 0)
            ),
            "reduction 'mean' or 'sum' to train on one number, got 'none'",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
