"""Where a fit stands, and the epochs that bring it further."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.utils import check_random_state

import jaxnn as nn
from jaxnn.core.types import Params
from jaxnn.sklearn.examples import Examples, mean_weight
from jaxnn.sklearn.hyperparameters import Hyperparameters
from jaxnn.sklearn.network import affine_maps, computing, draw, even, filled, network, size_class
from jaxnn.training.inference import no_statistics

LEAST_RATE = 1e-6  # the adaptive rate is not cut below it


@dataclasses.dataclass
class Training:
    """All that the next fit needs to go on from here; its arrays are numpy's, to be pickled.

    `maps`, which are coefs and intercepts, are those of the best epoch where there is a validation
    score, else of the last. `state` is always that of the last.
    """

    net: nn.layers.Serial
    loss: nn.Loss
    solver: str
    random: Any
    state: nn.State
    maps: Any = None
    losses: list[float] = dataclasses.field(default_factory=list)
    scores: list[float] = dataclasses.field(default_factory=list)
    scored: bool = False
    best: float = -math.inf
    stalled: int = 0
    cuts: int = 0
    epochs: int = 0
    seen: int = 0
    stopped: bool = False
    split_seed: int | None = None

    def seed_of_split(self) -> int:
        """The seed of the held-out part: the same in every fit that goes on from here."""
        if self.split_seed is None:
            self.split_seed = int(self.random.randint(2**31 - 1))
        return self.split_seed


def begin(model: Hyperparameters, loss: nn.Loss, examples: Examples, n_outputs: int) -> Training:
    """The state before the first epoch, drawn by `random_state`."""
    random, net = check_random_state(model.random_state), model_network(model, n_outputs)
    n_in, dtype = examples.x.shape[1], examples.x.dtype
    params = draw(random, net, model.activations(), n_in, dtype)
    inputs = jax.ShapeDtypeStruct((2, even(n_in)), dtype)
    statistics = no_statistics(net, params, inputs, key_of(0)) if model.batch_norm else None
    state = nn.State(params, unmoved(model, params), to_numpy(statistics))
    return Training(net, loss, str(model.solver), random, state)


def model_network(model: Hyperparameters, n_outputs: int) -> nn.layers.Serial:
    """The network that the hyperparameters ask for."""
    names = model.activations()
    return network(model.widths(), names, n_outputs, model.dropout, bool(model.batch_norm))


def unmoved(model: Hyperparameters, params: Params) -> Any:
    """What the optimizer keeps before its first update, all zeros."""
    if model.solver == "lbfgs":
        return ()
    kept = jax.eval_shape(optimizer(model, 0.0).init, params)
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), kept)


def optimizer(model: Hyperparameters, rate: float) -> Any:
    """The optimizer of the solver at this rate."""
    if model.solver == "sgd":
        return nn.SGD(rate, float(model.momentum), bool(model.nesterovs_momentum))
    return nn.Adam(rate, float(model.beta_1), float(model.beta_2), float(model.epsilon))


def rate_of(model: Hyperparameters, training: Training) -> float:
    """The rate of the next epoch: with `sgd` it may fall, by examples seen or by cuts made."""
    rate = float(model.learning_rate_init)
    if model.solver == "sgd" and model.learning_rate == "invscaling":
        return rate / (training.seen + 1) ** float(model.power_t)
    return rate / 5**training.cuts if adaptive(model) else rate


def adaptive(model: Hyperparameters) -> bool:
    """Whether the rate is cut where training would stop."""
    return model.solver == "sgd" and model.learning_rate == "adaptive"


def run_epochs(
    model: Hyperparameters,
    training: Training,
    examples: Examples,
    score: Callable[[Any], float] | None,
    epochs: int,
) -> None:
    """Up to `epochs` passes over the examples; `score` judges maps after each, if it is given."""
    batches = Batches(model, examples)
    if training.scored != bool(score):  # scores and objectives do not compare
        training.scored, training.best, training.stalled = bool(score), -math.inf, 0
    with computing(examples.x.dtype):
        state = jax.tree.map(jnp.array, training.state)  # copies: an epoch donates what it gets
        for _ in range(epochs):
            state, objective = batches.epoch(model, training, state)
            note(model, training, float(objective), 1, len(examples.x))
            if score:
                maps = affine_maps(training.net, state, examples.x.shape[1])
                training.scores.append(score(maps))
                training.maps = maps if training.scores[-1] > training.best else training.maps
            judge(model, training, training.scores[-1] if score else -training.losses[-1])
            if training.stopped:
                break
        training.state = to_numpy(state)
        if not score or training.maps is None:
            training.maps = affine_maps(training.net, state, examples.x.shape[1])


class Batches:
    """Examples on the device, and the size of the mini-batches they are taken in.

    Where all are one mini-batch, rows of weight 0 fill it up: small data of every length then share
    a few compiled programs. Not under batch-norm, which would see those rows.
    """

    def __init__(self, model: Hyperparameters, examples: Examples) -> None:
        n = len(examples.x)
        self.n, self.size = n, min(200 if model.batch_size == "auto" else int(model.batch_size), n)
        self.strength = float(model.alpha) / (self.size * mean_weight(examples))
        weights = examples.weights
        self.rows = n
        if self.size == n and not model.batch_norm:
            self.rows = self.size = size_class(n)
            weights = np.ones(n, examples.x.dtype) if weights is None else weights
        with computing(examples.x.dtype):
            x = filled(examples.x, self.rows, even(examples.x.shape[1]))
            self.x, self.y = jnp.asarray(x), jnp.asarray(filled(examples.targets, self.rows))
            self.weights = None if weights is None else jnp.asarray(filled(weights, self.rows))

    def epoch(self, model: Hyperparameters, training: Training, state: nn.State) -> Any:
        """(state, objective) after one pass; with the key of this pass where there is dropout."""
        order = np.arange(self.rows)
        if model.shuffle:
            order[: self.n] = training.random.permutation(self.n)
        if model.batch_norm and self.n > 1 and self.n % self.size == 1:
            order = order[:-1]  # alone in its mini-batch it has no mean
        key = key_of(training.random.randint(2**31 - 1)) if model.dropout else None
        return nn.train_epoch(
            training.net,
            training.loss,
            optimizer(model, rate_of(model, training)),
            state,
            self.x,
            self.y,
            order,
            key,
            batch_size=self.size,
            options=nn.Options(weights=self.weights, penalty=nn.l2(self.strength)),
        )


def note(
    model: Hyperparameters, training: Training, objective: float, epochs: int, seen: int
) -> None:
    """Take down what was reached after some more epochs. Raises ValueError if not finite."""
    training.epochs += epochs
    if not math.isfinite(objective):
        raise ValueError(
            f"{type(model).__name__}: expected a finite loss, got {objective} in epoch "
            f"{training.epochs}; scale X to a mean of 0 and a variance of 1 (StandardScaler), or "
            f"lower learning_rate_init, now {model.learning_rate_init!r}"
        )
    training.losses.append(objective)
    training.seen += seen
    if model.verbose:
        print(f"Iteration {training.epochs}, loss = {objective:.8f}")


def judge(model: Hyperparameters, training: Training, figure: float) -> None:
    """Stop, or cut the adaptive rate, when the figure has not risen for too many epochs.

    The figure is the validation score, else minus the objective; it has risen if it is not less
    than `tol` above the best.
    """
    training.stalled = training.stalled + 1 if figure < training.best + model.tol else 0
    training.best = max(training.best, figure)
    training.stopped = False
    if training.stalled <= model.n_iter_no_change:
        return
    training.stalled = 0
    if adaptive(model) and rate_of(model, training) > LEAST_RATE:
        training.cuts += 1
    else:
        training.stopped = True


def key_of(seed: int) -> Any:
    """A key for dropout, of the generator that compiles quickly."""
    return jax.random.key(seed, impl="rbg")


def to_numpy(tree: Any) -> Any:
    """The tree with copies of its arrays that no device holds."""
    return jax.tree.map(np.array, tree)
