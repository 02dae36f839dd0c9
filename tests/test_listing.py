"""The listing of M. Khan's notes (2021, section 3) beside the same arithmetic in plain numpy."""

import os

import jax
import numpy as np
import pytest

from experiments.config.file import load
from experiments.data import load as load_data
from experiments.training.loop import epochs
from experiments.training.scores import scores
from experiments.training.task import prepare

needs_mnist = pytest.mark.skipif(
    not os.environ.get("JAXNN_DATA_DIR"), reason="JAXNN_DATA_DIR does not name a folder with MNIST"
)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def update(weights, biases, x, t, rate):
    """One step of gradient descent on the mean half-square cost, layer by layer, in place."""
    activations = [x]
    for w, b in zip(weights, biases, strict=True):
        activations.append(sigmoid(activations[-1] @ w + b))
    a = activations[-1]
    delta = (a - t) * a * (1 - a)
    for i in reversed(range(len(weights))):
        dw, db = activations[i].T @ delta / len(x), delta.mean(0)
        a = activations[i]
        delta = (delta @ weights[i].T) * a * (1 - a)
        weights[i] -= rate * dw
        biases[i] -= rate * db


def loss(weights, biases, x, t):
    for w, b in zip(weights, biases, strict=True):
        x = sigmoid(x @ w + b)
    return ((x - t) ** 2).sum(1).mean() / 2


@needs_mnist
@pytest.mark.usefixtures("x64")
def test_the_losses_of_all_200_iterations_agree():
    experiment, data = load("listing", []), load_data("mnist")
    task = prepare(experiment, data)
    task = task._replace(test=jax.tree.map(lambda leaf: leaf[:250], task.test))
    x_test = data.x_test[:250].reshape(250, 784) / 255
    t_train, t_test = np.eye(10)[data.y], np.eye(10)[data.y_test[:250]]

    weights, biases = initial(experiment, task)
    assert all(w.min() >= 0 and w.max() <= 0.01 for w in weights + biases)
    for epoch in epochs(experiment, task):
        rows = np.random.default_rng([0, epoch.number]).permutation(60_000)[:32]
        update(weights, biases, data.x[rows].reshape(32, 784) / 255, t_train[rows], 0.003)
        ours = scores(task, epoch.state.params, ("test",))["test_loss"]
        np.testing.assert_allclose(ours, loss(weights, biases, x_test, t_test), rtol=1e-6)
    assert epoch.number == 200


def initial(experiment, task):
    """The parameters before the first step, (weights, biases), as numpy arrays of their own."""
    params = task.net.init(jax.random.key(experiment.seed), task.train.x[:2])
    layers = [jax.tree.map(np.array, p) for p in params if p]
    return [layer.w for layer in layers], [layer.b for layer in layers]
