"""A training that comes to nan or infinity is told where: iteration, layer, direction."""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.config.file import load
from experiments.training.loop import order
from experiments.training.nonfinite import find, finite
from experiments.training.task import Part, Task

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype(np.float32)
Y = RNG.normal(size=(24, 2)).astype(np.float32)


def setting(**train):
    iris = load("iris", [])
    changed = {"batch_size": 8, "lr": 0.1} | train
    return dataclasses.replace(iris, train=dataclasses.replace(iris.train, **changed))


def told(net, optimizer: Any = nn.SGD(0.1), x=X, number=1, params=None, **train):  # noqa: B008
    """What is said of epoch `number`, trained from the parameters at the start, or from these."""
    part = Part(jnp.asarray(x), jnp.asarray(Y))
    task = Task(net, nn.half_square, optimizer, None, part, part)
    state = nn.start(net, optimizer, jax.random.key(0), part.x[:2])
    state = state if params is None else state._replace(params=params)
    return find(setting(**train), task, state, 0, number)


class Log(nn.Layer):
    """y = log x, dx = dy / x: nan and infinity where the data have a 0."""

    def forward(self, params, x, key=None):
        return jnp.log(x), x

    def backward(self, params, residuals, dy, read):
        return dy / residuals, ()


class Root(nn.Layer):
    """y = x with the wrong dx = dy / sqrt(x): nan where x < 0, and only backward."""

    def forward(self, params, x, key=None):
        return x, x

    def backward(self, params, residuals, dy, read):
        return dy / jnp.sqrt(residuals), ()


def test_a_rate_that_is_too_large_is_told_by_the_layer_that_overflows():
    net = nn.serial(nn.Dense(4), nn.tanh, nn.Dense(2))
    assert re.fullmatch(
        r"iteration 2, forward: layer 0 Dense\(4\) gave outputs with infinity for finite inputs "
        r"\(up to 2\.\d\) and parameters \(up to \de\+38\)\n"
        r"try a lower train\.lr \(it is 1e\+38\), or train\.clip_norm = 1",
        told(net, nn.Adam(1e38), lr=1e38),
    )
    found = told(net, nn.Adam(1e38), lr=1e38, clip_norm=2.0)
    assert found.endswith("try a lower train.lr (it is 1e+38)")


def test_a_layer_that_is_wrong_forward_is_named():
    found = told(nn.serial(nn.Dense(4), nn.relu, Log(), nn.Dense(2)))
    assert found.startswith("iteration 1, forward: layer 2 Log() gave outputs with infinity for")
    assert "finite inputs (up to " in found
    assert found.endswith("\nnothing was learned yet: try smaller initial weights, or inputs on "
                          "another scale")  # fmt: skip


def test_a_layer_that_is_wrong_backward_is_named():
    found = told(nn.serial(nn.Dense(4), nn.serial(nn.tanh, Root()), nn.Dense(2)))
    assert found.startswith("iteration 1, backward: layer 1/1 Root() gave errors with nan for")
    assert "finite errors (up to " in found


def test_a_gradient_is_named_by_its_path():
    blind = nn.Dense(
        4, w_init=nn.initializers.zeros
    )  # gives 0 for inputs so large that dw overflows
    found = told(nn.serial(blind, nn.Dense(2)), x=np.full_like(X, 3e38))
    assert found.startswith(
        "iteration 1, backward: layer 0 Dense(4, w_init=zeros) gave a gradient of 0/w with "
    )


def test_a_loss_is_named():
    found = told(nn.serial(nn.linear(1e30), nn.Dense(2)))
    assert found.startswith("iteration 1, loss: half_square gave an objective with infinity for")


def test_an_update_is_named_even_if_it_is_the_last_of_the_epoch():
    net, rate = nn.serial(nn.Dense(2)), 3.4e38
    found = told(net, nn.SGD(rate), lr=rate, batch_size=24)
    assert found.startswith("iteration 1, optimizer gave an update of 0/")
    assert "try a lower train.lr" in found


def test_the_data_are_named_first():
    x = X.copy()
    x[17, 2] = np.nan
    iteration = 1 + list(order(setting(), 1, 24)).index(17) // 8
    found = told(nn.serial(nn.Dense(2)), x=x)
    assert found == f"iteration {iteration}, data: the inputs of example 17 hold nan"


def test_later_epochs_are_reached_by_training_again():
    rows = [set(order(setting(sample=6), number, 24).tolist()) for number in (1, 2, 3)]
    row = min(rows[2] - rows[1] - rows[0])  # that epoch 3 is the first to see
    x = X.copy()
    x[row] = np.inf
    found = told(nn.serial(nn.Dense(2)), x=x, number=3, sample=6)
    assert found == f"iteration 1, data: the inputs of example {row} hold infinity"


def test_what_stays_finite_is_not_blamed():
    assert "each iteration is a program of its own" in told(nn.serial(nn.Dense(2)))


def test_finite_looks_at_every_number():
    tree = {"w": jnp.ones((2, 3)), "b": jnp.zeros(3), "n": jnp.arange(3)}
    assert finite(tree)
    assert finite(())
    for bad in (jnp.nan, -jnp.inf):
        assert not finite({**tree, "b": tree["b"].at[1].set(bad)})


def test_a_layer_inside_a_repeat_is_named_with_its_place():
    net = nn.serial(nn.Dense(4), nn.Repeat(nn.serial(nn.Dense(4), nn.tanh), 5), nn.Dense(2))
    state = nn.start(net, nn.SGD(0.1), jax.random.key(0), X)
    w = state.params[1][0].w.at[3].set(np.inf)
    params = (state.params[0], (nn.Affine(w, state.params[1][0].b), ()), state.params[2])
    found = told(net, params=params)
    assert found.startswith("iteration 1, forward: layer 1/0#3 Dense(4) got parameters with infini")
