"""A function, a class or a word in the place of a value: the error says what to write."""

# pyright: reportArgumentType=false
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import Adam, curvature, softmax_cross_entropy
from jaxnn.losses.cross_entropy import SoftmaxCrossEntropy
from tests.compare import KEY

NET = nn.serial(nn.Dense(3))
X, Y = jnp.ones((4, 2)), np.zeros(4, int)
PARAMS, SGD = NET.init(KEY, X), nn.SGD(0.1)
STATE = nn.start(NET, SGD, KEY, X)


def square(outputs, y):
    return outputs, y


def step(loss=softmax_cross_entropy, optimizer=SGD, **options):
    return nn.train_step(NET, loss, optimizer, STATE, X, Y, options=nn.Options(**options))


def epoch(loss=softmax_cross_entropy, optimizer=SGD):
    return nn.train_epoch(NET, loss, optimizer, STATE, X, Y, np.arange(4), batch_size=2)


def evaluate(metrics):
    return nn.evaluate(NET, softmax_cross_entropy, PARAMS, X, Y, metrics=metrics)


LOSS = r"a loss such as softmax_cross_entropy, .*write a class with __call__\(self, outputs, y\)"
NETWORK = "a network, which is a layer, such as serial"
OWN = r"one of your own has init\(params\) and update\(grads, state, params\)"
PENALTY = r"a penalty such as l2\(1e-4\), got"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.backprop(NET, square, PARAMS, X, Y), LOSS),
        (lambda: nn.backprop(NET, SoftmaxCrossEntropy, PARAMS, X, Y), LOSS),
        (lambda: nn.backprop(NET, "mse", PARAMS, X, Y), "got 'mse'"),
        (lambda: nn.accumulate(NET, square, PARAMS, X, Y, micro_batches=2), LOSS),
        (lambda: nn.evaluate(NET, square, PARAMS, X, Y), LOSS),
        (lambda: step(square), LOSS),
        (lambda: epoch(square), LOSS),
        (lambda: curvature.hvp(NET, square, PARAMS, X, Y, PARAMS), LOSS),
        (lambda: nn.check.check_backprop(NET, square, PARAMS, X, Y), LOSS),
        (lambda: nn.backprop(nn.Dense, softmax_cross_entropy, PARAMS, X, Y), NETWORK),
        (lambda: nn.predict(jnp.tanh, PARAMS, X), NETWORK),
        (lambda: nn.summary(nn.Dense, X), r"write Dense\(\.\.\.\), with its sizes"),
        (lambda: nn.start(nn.Dense, SGD, KEY, X), NETWORK),
        (lambda: nn.serial(nn.Dense(3), jnp.tanh), r"a layer at \[1\]"),
        (lambda: nn.serial(nn.Dense(3), "relu"), r"a layer at \[1\], got 'relu'"),
        (lambda: nn.start(NET, Adam, KEY, X), r"write Adam\(\.\.\.\) with its numbers"),
        (lambda: nn.start(NET, "adam", KEY, X), f"got 'adam'; {OWN}"),
        (lambda: step(optimizer=Adam), r"write Adam\(\.\.\.\)"),
        (lambda: epoch(optimizer=lambda grads: grads), OWN),
        (lambda: nn.chain(nn.clip_by_value(1.0), Adam), r"write Adam\(\.\.\.\)"),
        (lambda: nn.Averaged(Adam), r"write Adam\(\.\.\.\)"),
        (lambda: nn.KFAC(nn.SGD), r"write SGD\(\.\.\.\)"),
        (lambda: step(penalty=nn.l2), PENALTY),
        (lambda: step(penalty=0.1), f"{PENALTY} 0.1"),
        (lambda: evaluate(nn.accuracy), r"a tuple of functions .* such as \(accuracy,\)"),
        (lambda: evaluate(("accuracy",)), "a tuple of functions"),
    ],
)
def test_what_is_no_value_of_the_kind_is_refused(call, message):
    with pytest.raises(TypeError, match=message):
        call()
