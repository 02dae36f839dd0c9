"""Epochs whose first dense layer is turned round: the same training, chosen by shape alone."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import softmax_cross_entropy
from jaxnn.fast import columns
from jaxnn.training import arrangement, steps as training
from tests.compare import assert_trees_close

N, BATCH = 43, 4  # ten mini-batches and a smaller one


class Halve(NamedTuple):
    """An optimizer from elsewhere."""

    def init(self, params):
        return ()

    def update(self, grads, state, params):
        return jax.tree.map(lambda g: -0.5 * g, grads), state


def data(n_in=40):
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(size=(N, n_in))), jnp.asarray(rng.integers(0, 3, N))


def step_by_step(net, optimizer, state, x, y, order, **options):
    """What an epoch is made of, by `train_step`, which turns nothing."""
    values = []
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        given = net, softmax_cross_entropy, optimizer, state, x[rows], y[rows]
        state, value = nn.train_step(*given, **options)
        values.append(value * len(rows))
    return state, sum(values) / len(order)


@pytest.fixture
def turned(monkeypatch):
    """The paths of the layers that were turned round while a program was traced."""
    found: list[str] = []
    original = columns.by_columns

    def noted(net: Any, path: str, params: Any) -> Any:
        found.append(path)
        return original(net, path, params)

    monkeypatch.setattr(arrangement, "by_columns", noted)
    monkeypatch.setattr(arrangement, "_WORK", 100)
    training._train_epoch.clear_cache()  # pyright: ignore[reportAttributeAccessIssue]
    return found


NETWORKS = [
    nn.serial(nn.Dense(7), nn.sigmoid, nn.Dense(3)),
    nn.serial(nn.Dense(16, bias=False), nn.tanh, nn.Dense(3)),
    nn.serial(nn.Flatten(), nn.serial(nn.BatchNorm(), nn.Dense(7)), nn.relu, nn.Dense(3)),
    nn.Dense(3),
]
OPTIMIZERS = [
    nn.SGD(0.1, momentum=0.9),
    nn.Averaged(nn.chain(nn.clip_by_global_norm(1.0), nn.Adam(0.01)), 0.9),
]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("net", NETWORKS, ids=repr)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda value: type(value).__name__)
def test_an_epoch_by_columns_is_that_of_single_steps(net, optimizer, turned):
    x, y = data()
    order = np.random.default_rng(1).permutation(N)
    options: dict[str, Any] = {"options": nn.Options(penalty=nn.l2(0.01))}
    given = net, optimizer, nn.start(net, optimizer, jax.random.key(0), x), x, y, order
    want = step_by_step(*given, **options)
    got = nn.train_epoch(net, softmax_cross_entropy, *given[1:], batch_size=BATCH, **options)
    assert len(turned) == 1
    assert_trees_close(got, want, rtol=1e-11)


@pytest.mark.parametrize(
    ("net", "optimizer", "n_in", "batch"),
    [
        (nn.serial(nn.Dense(64), nn.relu, nn.Dense(3)), nn.SGD(0.1), 784, 4),  # wide rows
        (nn.serial(nn.Dense(7), nn.relu, nn.Dense(3)), nn.SGD(0.1), 13, 4),  # few inputs
        (nn.serial(nn.Dense(7), nn.relu, nn.Dense(3)), nn.SGD(0.1), 40, 10),  # few steps
        (nn.serial(nn.Dense(7), nn.relu, nn.Dense(3)), Halve(), 40, 4),
        (nn.Skip(nn.serial(nn.Dense(7), nn.Dense(40))), nn.SGD(0.1), 40, 4),  # not in series
        (nn.MixedPrecision(nn.Dense(3)), nn.SGD(0.1), 40, 4),
    ],
    ids=repr,
)
def test_elsewhere_nothing_is_turned(net, optimizer, n_in, batch, turned):
    x, y = data(n_in)
    x = x.astype(jnp.float32)
    state = nn.start(net, optimizer, jax.random.key(0), x)
    nn.train_epoch(
        net, softmax_cross_entropy, optimizer, state, x, y, np.arange(N), batch_size=batch
    )
    assert turned == []


def test_it_pays_for_short_rows_and_for_ragged_ones():
    assert columns.pays(784, 30, 10)
    assert columns.pays(784, 100, 1024)
    assert columns.pays(784, 392, 32)
    assert not columns.pays(784, 392, 10)
    assert not columns.pays(784, 392, 128)
    assert not columns.pays(784, 128, 32)
    assert not columns.pays(40, 30, 10)
    assert not columns.pays(784, 1, 10)


def test_short_epochs_stay_as_they_are(turned, monkeypatch):
    monkeypatch.setattr(arrangement, "_WORK", N * 40 * 7)
    x, y = data()
    x = x.astype(jnp.float32)
    for repeated in (1, 2):  # the smaller last mini-batch does not count
        state = nn.start(NETWORKS[0], nn.SGD(0.1), jax.random.key(0), x)
        given = NETWORKS[0], softmax_cross_entropy, nn.SGD(0.1), state, x, y
        nn.train_epoch(*given, np.tile(np.arange(N), repeated), batch_size=BATCH)
        assert len(turned) == repeated - 1


def test_an_epoch_can_be_differentiated_by_those_who_want_to(turned):
    x, y = data()
    net = NETWORKS[0]

    def objective(rate: Any) -> Any:
        state = nn.start(net, nn.SGD(0.1), jax.random.key(0), x.astype(jnp.float32))
        given = net, softmax_cross_entropy, nn.SGD(rate), state, x.astype(jnp.float32), y
        return nn.train_epoch(*given, jnp.arange(N), batch_size=BATCH)[1]

    slope = (objective(0.101) - objective(0.099)) / 0.002  # of float32, good to 3e-5
    assert float(jax.grad(objective)(0.1)) == pytest.approx(float(slope), rel=1e-4)
    assert turned


def test_a_rate_of_numpy_is_a_number_like_any_other(turned):
    x, y = data()
    x = x.astype(jnp.float32)
    for rate in (np.float32(0.1), np.float64(0.2), 0.3, jnp.float32(0.4)):
        state = nn.start(NETWORKS[0], nn.SGD(rate), jax.random.key(0), x)
        given = NETWORKS[0], softmax_cross_entropy, nn.SGD(rate), state, x, y
        nn.train_epoch(*given, np.arange(N), batch_size=BATCH)
    # weak and strong dtypes are programs of their own; that rates differ makes no more of them
    assert 1 <= len(turned) <= 3


class Doubled(nn.SGD):
    """A rule of one's own may look at the shape of a weight, whatever its base says."""

    def rule(self, g, p, slots, eta, t):
        return 2 * super().rule(g, p, slots, eta, t)[0], ()


@pytest.mark.parametrize("optimizer", [Doubled(0.1), nn.Averaged(Doubled(0.1), 0.9)])
def test_what_does_not_say_that_any_shape_will_do_is_given_its_own(optimizer):
    assert arrangement.any_shape(nn.Averaged(nn.SGD(0.1), 0.9), None)
    assert not arrangement.any_shape(optimizer, None)
    assert not arrangement.any_shape(nn.chain(nn.SGD(0.1), optimizer), None)
