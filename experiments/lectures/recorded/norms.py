"""How the error shrinks from layer to layer of a deep network of sigmoids.

The rule behind the recorded norms, found by following them: networks 784-30-...-30-10 from scaled
weights, the cross-entropy, the first 1,000 training images, one step per epoch with all of them,
eta = 0.1, lambda = 5. The error of a layer is the gradient of its biases: the mean over examples
of the errors in front of the addition. Its norm is taken before each of 500 steps.

The seeds are not known, so other networks follow the recorded ones only as closely as each other.
With ten networks, the recorded logarithms lie off their mean by 0.5 to 1.4 standard deviations
(root mean square over the steps, in each of the nine layers). Other rules put a layer off by more,
with 2, 3 and 4 hidden layers: lambda = 0 by 2.5, 5.5 and 10; eta = 0.05 by 4.9, 2.5 and 4.5; eta =
0.2 by 3.0, 2.4 and 3.3; the mean of norms, in place of the norm of the mean, by 67, 65 and 67.
Before the first step, with twenty networks: large weights by 4.9, 8.9 and 8.1, the quadratic cost
by 11, 9.2 and 8.4, the gradient of the weights by 6.4, 6.4 and 4.6.

Source: Nielsen 2015, chapter 5, "What's causing the vanishing gradient problem?".
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.lectures.recorded import images, networks
from experiments.lectures.recorded.images import Part

UNITS = 30
ETA, LAM, EXAMPLES = 0.1, 5.0, 1000


def mean_errors(hidden_layers: int, seeds: int, steps: int) -> np.ndarray:
    """The mean errors before each step, (seeds, steps, hidden_layers, 30), of networks with the
    seeds 0, 1, ... Raises DataError where MNIST is missing."""
    sizes = (784, *(UNITS,) * hidden_layers, 10)
    net, found = networks.network(sizes), []
    with jax.enable_x64(True):
        part = jax.tree.map(jnp.asarray, images.parts(EXAMPLES, "test")[0])
        for seed in range(seeds):
            params = networks.draw(np.random.RandomState(seed), sizes, "scaled")
            params = jax.tree.map(jnp.asarray, params)
            found.append(np.asarray(_descend(net, params, part, steps)))
    return np.stack(found)


def errors_and_gradient(net: nn.Layer, params: Any, part: Part) -> tuple[Any, Any]:
    """From one backward sweep: the mean error of each hidden layer, (hidden layers, units), and
    the gradient of the mean cost, shaped like params."""
    loss, n = nn.sigmoid_cross_entropy, len(part.x)
    _, factors = nn.backprop(net, loss, params, *part, read=nn.factors)
    errors = [layer.b.d.mean(0) for layer in factors if isinstance(layer, nn.Affine)]
    grads = jax.tree.map(lambda factor: factor.contract(1 / n), factors, is_leaf=_is_factor)
    return jnp.stack(errors[:-1]), grads


def _is_factor(value: Any) -> bool:
    return isinstance(value, nn.core.Factor)


@partial(jax.jit, static_argnames="steps")
def _descend(net: nn.Layer, params: Any, part: Part, steps: int) -> Any:
    """The errors before each step of gradient descent from params, (steps, hidden layers, 30)."""
    optimizer, penalty = nn.SGD(ETA), nn.l2(LAM / EXAMPLES)

    def step(carry: Any, _: None) -> Any:
        params, state = carry
        errors, grads = errors_and_gradient(net, params, part)
        grads = jax.tree.map(jnp.add, grads, penalty(params)[1])
        updates, state = optimizer.update(grads, state, params)
        return (nn.optim.apply_updates(params, updates), state), errors

    return jax.lax.scan(step, (params, optimizer.init(params)), length=steps)[1]


def deviations(drawn: np.ndarray, recorded: np.ndarray) -> np.ndarray:
    """How many standard deviations the recorded norms lie off those of drawn networks, on the
    scale of logarithms; drawn (seeds, steps, layers), recorded and result (steps, layers)."""
    logs = np.log(drawn)
    return (np.log(recorded) - logs.mean(0)) / logs.std(0, ddof=1)
