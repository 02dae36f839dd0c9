"""A loss with weight decay: cross-entropy of a tanh network, and a penalty on its weights alone.

l = cross_entropy(mlp(x), labels) + lambda / 2 sum_k |w_k|^2
dw_k = backpropagated + dy lambda w_k,   db_k = backpropagated
"""

from typing import Any

import jax
import numpy as np

from experiments.bench.mistakes import losses, mlp
from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import planted

LAMBDA = 0.01
VALID = 19


def draw(seed: int) -> tuple[Any, ...]:
    """x (batch, n_in) and parameters as in `mlp`, labels (batch,), -1 in rows to be ignored."""
    rng = np.random.default_rng([seed, 1])  # not the numbers of mlp.draw again
    return *mlp.draw(seed), losses.draw_labels(rng, mlp.BATCH, VALID, mlp.N_OUT)


def forward(x: Any, params: Any, labels: Any) -> Any:
    """l, a scalar."""
    penalty = sum((layer["w"] ** 2).sum() for layer in params.values())
    return losses.mean(mlp.forward(mlp.TANH, x, params), labels) + LAMBDA / 2 * penalty


def backward(mistake: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    """dx, the gradients of the parameters, and None for the labels."""
    x, params, labels = args
    logits = mlp.forward(mlp.TANH, x, params)
    dlogits, _ = losses.backward(True, 0, (logits, labels), dy)
    dx, grads = mlp.backward(mlp.TANH, 0, (x, params), dlogits)
    strength = {55: 0.0, 56: 2 * LAMBDA}.get(mistake, LAMBDA)
    share = {layer: {"w": strength, "b": 0.0} for layer in params}
    if mistake == 57:
        share["fc2"]["w"] = 0.0
    if mistake == 58:
        share["fc2"]["b"] = LAMBDA
    return dx, jax.tree.map(lambda g, c, p: g + dy * c * p, grads, share, params), None


MODELS = (
    planted(
        "weight_decay",
        forward,
        backward,
        draw,
        (
            Mistake(55, "regularisation missing", "[1]['fc3']['w']", "decay"),
            Mistake(56, "regularisation doubled", "[1]['fc3']['w']", "decay"),
            Mistake(57, "regularisation missing in one layer", "[1]['fc2']['w']", "decay"),
            Mistake(58, "regularisation added to a bias", "[1]['fc2']['b']", "decay"),
        ),
        constants={"lambda": LAMBDA, "batch": mlp.BATCH, "valid": VALID},
    ),
)
