"""A recorded training, done again by `jaxnn` in float64."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.lectures.recorded import images, networks
from experiments.lectures.recorded.files import Curves
from experiments.lectures.recorded.images import Part
from experiments.lectures.recorded.runs import SEED, Run
from experiments.lectures.recorded.shuffle import shuffle


class Scores(NamedTuple):
    """What is known after an epoch; see `Curves`."""

    evaluation_cost: float
    evaluation_correct: int
    training_cost: float
    training_correct: int


def curves(scores: Iterable[Scores]) -> Curves:
    """The scores of one epoch after the other as arrays (epochs,)."""
    return Curves(*(np.array(column) for column in zip(*scores, strict=True)))


def follow(run: Run, *, nudged: bool = False) -> Iterator[Scores]:
    """Train as the recorded run did; after each epoch, the scores on all images of both parts.

        C = -1/n sum_x sum_k (t_k log a_k + (1 - t_k) log(1 - a_k)) + lambda/(2n) sum w^2

    With `nudged`, every initial parameter is the next larger float64: where such a run goes its
    own way, rounding alone decides where training goes. Raises DataError where MNIST is missing.
    Source: Nielsen 2015, chapter 3, eqs. 63 and 87.
    """
    net, random = networks.network((784, run.hidden, 10)), Random(SEED)
    order = list(range(run.examples))
    for _ in range(run.before):
        shuffle(order, random)
    # Float64 is switched on around our own work only, not while the caller has the next turn.
    with jax.enable_x64(True):
        training, evaluation = jax.tree.map(jnp.asarray, images.parts(run.examples, run.evaluation))
        state = _start(run, net, nudged)
    for _ in range(run.epochs):
        shuffle(order, random)
        with jax.enable_x64(True):
            state = _epoch(run, net, state, training, order)
            scores = Scores(
                *_score(net, state.params, evaluation, run.lam),
                *_score(net, state.params, training, run.lam),
            )
        yield scores


def _start(run: Run, net: nn.Layer, nudged: bool) -> nn.State:
    random, params = np.random.RandomState(SEED), ()
    for start in run.draws:
        params = networks.draw(random, (784, run.hidden, 10), start)
    if nudged:
        params = jax.tree.map(lambda p: np.nextafter(p, np.inf), params)
    x = jax.ShapeDtypeStruct((1, 784), np.float64)
    state = nn.start(net, nn.SGD(run.eta), jax.random.key(0), x)
    return state._replace(params=jax.tree.map(jnp.asarray, params))


def _epoch(run: Run, net: nn.Layer, state: nn.State, part: Part, order: list[int]) -> nn.State:
    state, _ = nn.train_epoch(
        net,
        nn.sigmoid_cross_entropy,
        nn.SGD(run.eta),
        state,
        *part,
        np.array(order),
        batch_size=10,
        options=nn.Options(penalty=nn.l2(run.lam / run.examples)),
    )
    return state


def _score(net: nn.Layer, params: Any, part: Part, lam: float) -> tuple[float, int]:
    """The cost, and how many answers are right."""
    n = len(part.x)
    found = nn.evaluate(net, nn.sigmoid_cross_entropy, params, *part, metrics=(nn.accuracy,))
    penalty, _ = _penalty(params, lam / n)
    return float(found["loss"] + penalty), round(float(found["accuracy"]) * n)


@jax.jit
def _penalty(params: Any, strength: Any) -> Any:
    return nn.l2(strength)(params)
