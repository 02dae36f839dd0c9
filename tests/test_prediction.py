"""What a network puts out, and how it is scored."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Dense, serial, softmax_cross_entropy
from tests.compare import KEY

N = 11
NET = serial(Dense(7), nn.sigmoid, Dense(3))


def data():
    rng = np.random.default_rng(3)
    return jnp.asarray(rng.normal(size=(N, 5))), jnp.asarray(rng.integers(0, 3, N))


@pytest.mark.parametrize("batch_size", [0, 2, 4, 100])
def test_predict_and_evaluate_in_chunks_equal_all_at_once(batch_size):
    x, y = data()
    x = x.astype(jnp.float32)
    params = NET.init(KEY, x)
    outputs = nn.predict(NET, params, x, batch_size=batch_size)
    np.testing.assert_allclose(outputs, NET.forward(params, x)[0], rtol=1e-5, atol=1e-6)
    got = nn.evaluate(
        NET, softmax_cross_entropy, params, x, y, metrics=(nn.accuracy,), batch_size=batch_size
    )
    values, _ = softmax_cross_entropy(outputs, y)
    np.testing.assert_allclose(float(got["loss"]), float(values.mean()), rtol=1e-6)
    hits = np.argmax(outputs, -1) == np.asarray(y)
    np.testing.assert_allclose(float(got["accuracy"]), hits.mean(), rtol=1e-6)


def test_evaluate_weighs_loss_and_metrics_alike():
    x, y = data()
    x = x.astype(jnp.float32)
    params = NET.init(KEY, x)
    w = np.arange(N, dtype=np.float32)
    got = nn.evaluate(NET, softmax_cross_entropy, params, x, y, weights=w, metrics=(nn.accuracy,))
    hits = nn.accuracy(NET.forward(params, x)[0], y)
    np.testing.assert_allclose(float(got["accuracy"]), (w * hits).sum() / w.sum(), rtol=1e-6)


@pytest.mark.parametrize("wide", [False, True])
def test_accuracy_takes_labels_and_one_hot_rows_and_the_first_of_ties(wide):
    with jax.enable_x64(wide):
        outputs = jnp.asarray([[1.0, 2, 0], [5, 5, 0], [0, 0, 1]])
        labels = jnp.asarray([1, 1, 2])
        np.testing.assert_array_equal(nn.accuracy(outputs, labels), [1, 0, 1])
        np.testing.assert_array_equal(nn.accuracy(outputs, jnp.eye(3)[labels]), [1, 0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.predict(NET, (), np.ones((0, 5))), "one or more examples"),
        (lambda: nn.accuracy(jnp.ones((3, 1)), jnp.ones(3)), "two or more outputs"),
        (lambda: nn.accuracy(jnp.ones((3, 2)), jnp.ones(4)), r"outputs \(3, 2\) and y \(4,\)"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
