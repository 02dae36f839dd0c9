"""Batch-norm: its statistics, and the network frozen with them. Embeddings beside one-hot rows."""

# Some arguments here are wrong on purpose.
# pyright: reportArgumentType=false

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import BatchNorm, Dense, Dropout, Embedding, OneHot, freeze, serial
from jaxnn.core.walk import mixing_layers
from jaxnn.layers import Rescale
from jaxnn.training.inference import Statistics
from tests.compare import KEY, assert_trees_close, draw

x64 = pytest.mark.usefixtures("x64")
NET = serial(
    Dense(7),
    BatchNorm(),
    nn.relu,
    nn.Skip(serial(BatchNorm(learned=False, eps=0.1), Dense(7))),
    nn.Parallel((serial(Dense(2), BatchNorm()), Dense(3)), "concat"),
)


def setting(net=NET, rows=12):
    x = draw(jnp.zeros((rows, 5)), 1)
    return draw(jax.eval_shape(net.init, KEY, x), 2), x


@x64
def test_training_output_has_mean_zero_and_unit_variance():
    x = 3 + 10 * draw(jnp.zeros((50, 2, 5)), 1)
    y, _ = BatchNorm(learned=False, eps=1e-9).forward((), x)
    np.testing.assert_allclose(y.mean((0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1)), 1, rtol=1e-9)


@x64
def test_epsilon_stands_inside_the_root():
    x = draw(jnp.zeros((50, 5)), 1)
    y, _ = BatchNorm(learned=False, eps=3.0).forward((), x)
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 3.0), rtol=1e-12)


@x64
def test_frozen_with_the_batchs_own_statistics_it_is_exact():
    net = serial(Dropout(0.3), NET)
    params, x = setting(net)
    without = serial(nn.linear, NET)
    y, residuals = without.forward(params, x)
    statistics = Statistics(1, without.observe(residuals))
    still, still_params = freeze(net, params, statistics)
    assert_trees_close(nn.predict(still, still_params, x), y, rtol=1e-12)
    assert not mixing_layers(still)


@x64
def test_one_example_alone_gets_the_output_it_gets_in_a_batch():
    params, x = setting()
    still, still_params = freeze(
        NET, params, nn.training.average_statistics(NET, params, x, batch_size=4)
    )
    whole = nn.predict(still, still_params, x)
    assert_trees_close(nn.predict(still, still_params, x[3:4]), whole[3:4], rtol=1e-12)


@x64
@pytest.mark.parametrize("batches", [3, 300])  # a momentum of 0.99 is a plain mean up to 100
def test_the_plain_average_is_over_the_mini_batches(batches):
    net = serial(Dense(7), BatchNorm())
    params, x = setting(net, rows=4 * batches + 2)
    found = nn.training.average_statistics(net, params, x, batch_size=4)
    z = np.asarray(Dense(7).forward(params[0], x[:-2])[0]).reshape(batches, 4, 7)
    assert int(found.count) == batches
    mean, variance = found.average[1]
    np.testing.assert_allclose(mean, z.mean(1).mean(0), rtol=1e-12)
    np.testing.assert_allclose(variance, z.var(1).mean(0), rtol=1e-12)


@x64
@pytest.mark.parametrize(("momentum", "batches"), [(0.5, 3), (1.0, 3), (0.99, 300), (1.0, 300)])
def test_the_running_average_of_training_follows_its_formula(momentum, batches):
    net, n = serial(BatchNorm(), Dense(3)), 4 * batches
    x, y = draw(jnp.zeros((n, 5)), 1), np.arange(n) % 3
    state = nn.start(net, nn.SGD(0.1), KEY, x)
    state, _ = nn.train_epoch(
        net, nn.softmax_cross_entropy, nn.SGD(0.1), state, x, y, np.arange(n),
        batch_size=4, options=nn.Options(statistics_momentum=momentum),
    )  # fmt: skip
    means = np.asarray(x).reshape(batches, 4, 5).mean(1)
    want = means[0]
    for t in range(1, batches):
        part = max(1 / (t + 1), 1 - momentum)
        want = (1 - part) * want + part * means[t]
    assert state.statistics is not None
    assert int(state.statistics.count) == batches
    np.testing.assert_allclose(state.statistics.average[0].mean, want, rtol=1e-12)


def test_statistics_are_not_parameters_so_weight_decay_cannot_shrink_them():
    params = BatchNorm().init(KEY, jnp.ones((2, 5)))
    assert params._fields == ("scale", "shift")
    assert BatchNorm(learned=False).init(KEY, jnp.ones((2, 5))) == ()


def test_a_state_without_statistics_can_be_trained():
    net = serial(Dense(3))
    params = net.init(KEY, jnp.ones((2, 5)))
    state = nn.State(params, nn.SGD(0.1).init(params))
    x, y = jnp.ones((4, 5)), np.array([0, 1, 2, 0])
    state, _ = nn.train_step(net, nn.softmax_cross_entropy, nn.SGD(0.1), state, x, y)
    assert state.statistics is None


@x64
@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_an_embedding_is_one_hot_rows_times_the_table(shape):
    ids = jnp.asarray(np.random.default_rng(0).integers(0, 11, shape))
    table = draw(jnp.zeros((11, 5)), 3)
    pair = serial(OneHot(11), Dense(5, bias=False))
    y, kept = Embedding(11, 5).forward(nn.core.Table(table), ids)
    wanted, kept_pair = pair.forward(((), nn.Affine(table, None)), ids)
    assert_trees_close(y, wanted, rtol=1e-12)
    dy = draw(y, 4)
    _, (rows,) = Embedding(11, 5).backward(nn.core.Table(table), kept, dy, lambda f: f.contract())
    _, (_, dw) = pair.backward(((), nn.Affine(table, None)), kept_pair, dy, lambda f: f.contract())
    assert_trees_close(rows, dw.w, rtol=1e-12)


def test_one_hot_and_its_inverse():
    ids = jnp.asarray([[3, 0], [2, 1]])
    y, _ = OneHot(4).forward((), ids)
    assert y.shape == (2, 2, 4)
    np.testing.assert_array_equal(y.argmax(-1), ids)
    np.testing.assert_array_equal(y.sum(-1), 1)


def test_an_id_without_a_row_is_nan_and_teaches_nothing():
    ids, table = jnp.asarray([1, -1, 3]), jnp.ones((3, 2))
    y, _ = Embedding(3, 2).forward(nn.core.Table(table), ids)
    np.testing.assert_array_equal(np.isnan(y).any(-1), [False, True, True])
    _, (rows,) = Embedding(3, 2).backward((), ids, jnp.ones((3, 2)), lambda f: f.contract())
    np.testing.assert_array_equal(rows, [[0, 0], [1, 1], [0, 0]])


@pytest.mark.parametrize("names", [("mean", "variance")])
def test_what_is_observed_has_names(names):
    params, x = setting(serial(BatchNorm()))
    _, residuals = serial(BatchNorm()).forward(params, x)
    assert serial(BatchNorm()).observe(residuals)[0]._fields == names


PARAMS, X = setting()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: NET.forward(PARAMS, X[:1]),
            ValueError,
            r"^\[1\] BatchNorm\(\): .*two or more rows",
        ),
        (lambda: freeze(NET, PARAMS), ValueError, r"^\[1\] BatchNorm\(\): expected statistics"),
        (
            lambda: freeze(NET, PARAMS, nn.start(NET, nn.SGD(0.1), KEY, X).statistics),
            ValueError,
            "pass state.statistics of a training, or average_statistics",
        ),
        (lambda: BatchNorm(eps=-0.1), ValueError, "eps"),
        (lambda: BatchNorm().forward((), X), TypeError, "expected parameters ScaleShift"),
        (lambda: BatchNorm().forward(PARAMS[1], jnp.ones(7)), ValueError, "features"),
        (lambda: Rescale().forward((), X), TypeError, "expected parameters ScaleShift"),
        (
            lambda: nn.training.average_statistics(NET, PARAMS, X, batch_size=13),
            ValueError,
            "batch_size from 1 to 12, the rows of x, got 13",
        ),
        (
            lambda: Embedding(3, 2).forward(nn.core.Table(X), X),
            TypeError,
            "x of integer ids, got float",
        ),
        (lambda: Embedding(3, 2).forward((), X), TypeError, "expected parameters Table"),
        (lambda: Embedding(3, 2).init(None, X), ValueError, "expected a random key"),
        (lambda: Embedding(0, 2), ValueError, "n to be a whole number >= 1, got 0"),
        (lambda: OneHot(2.5), ValueError, "n to be a whole number >= 1, got 2.5"),
        (lambda: OneHot(3).forward((), X), TypeError, "x of integer ids, got float32"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
