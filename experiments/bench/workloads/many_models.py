"""An epoch of 32 models 784-30-10: together in one program, and one after another.

Sigmoid, softmax cross-entropy, plain gradient descent, mini-batches of 10, 1000 examples. Every
model has first weights and a learning rate of its own; the order of the examples is the same for
all, or each has its own. All contenders train by `jaxnn.train_epoch`, called model by model as a
user calls it, or inside `jax.vmap` and `lax.map`, or by `jaxnn.train_epoch_together`.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench.method import races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload

NET = nn.serial(nn.Dense(30), nn.sigmoid, nn.Dense(10))
MODELS, BATCH = 32, 10
SHARED, OWN = "32 models, one order", "32 models, orders of their own"


class Inputs(NamedTuple):
    """States and learning rates of all models, x (n, 784), y (n,), and the order (n,) of the
    examples or (models, n); all of numpy."""

    states: Any
    rates: Any
    x: Any
    y: Any
    order: Any


def draw(n: int, own: bool) -> Callable[[Any], Inputs]:
    """Inputs at random: an epoch of n examples, with `own` in an order for each model."""

    def drawn(rng: Any) -> Inputs:
        x = rng.random((n, 784), np.float32)
        keys = map(jax.random.key, rng.integers(0, 2**31, MODELS))
        states = nn.stack([nn.start(NET, nn.SGD(0.01), key, x) for key in keys])
        orders = np.stack([rng.permutation(n) for _ in range(MODELS)]).astype(np.int32)
        rates = np.geomspace(0.003, 0.1, MODELS).astype(np.float32)
        y = rng.integers(0, 10, n).astype(np.int32)
        return Inputs(jax.device_get(states), rates, x, y, orders if own else orders[0])

    return drawn


def epoch(rate: Any, state: Any, x: Any, y: Any, order: Any) -> Any:
    """One epoch of one model: (state, mean objective)."""
    loss = nn.softmax_cross_entropy
    return nn.train_epoch(NET, loss, nn.SGD(rate), state, x, y, order, batch_size=BATCH)


def stacked(run: Callable[..., Any]) -> Callable[[Inputs], Callable[[], Any]]:
    """A contender `run(rates, states, x, y, order)` that goes on from where it stopped."""

    def make(inputs: Inputs) -> Callable[[], Any]:
        states, rates, x, y, order = jax.tree.map(jnp.array, inputs)

        def call() -> Any:
            nonlocal states
            states, values = jax.block_until_ready(run(rates, states, x, y, order))
            return states.params, values

        return call

    return make


def one_after_another(inputs: Inputs) -> Callable[[], Any]:
    """Model by model, each with its state on the device."""
    x, y = jnp.array(inputs.x), jnp.array(inputs.y)
    states = jax.tree.map(jnp.array, nn.unstack(inputs.states))
    orders = np.broadcast_to(inputs.order, (MODELS, len(x)))

    def call() -> Any:
        values = []
        for i, rate in enumerate(inputs.rates):
            states[i], value = epoch(rate, states[i], x, y, orders[i])
            values.append(value)
        return jax.block_until_ready(([state.params for state in states], values))

    return call


@stacked
def together(rates: Any, states: Any, x: Any, y: Any, order: Any) -> Any:
    """All models in one program."""
    loss = nn.softmax_cross_entropy
    optimizers = nn.SGD(rates)
    return nn.train_epoch_together(NET, loss, optimizers, states, x, y, order, batch_size=BATCH)


@stacked
@jax.jit
def by_vmap(rates: Any, states: Any, x: Any, y: Any, order: Any) -> Any:
    """What a user of JAX writes first."""
    rows = None if order.ndim == 1 else 0
    return jax.vmap(epoch, (0, 0, None, None, rows))(rates, states, x, y, order)


@stacked
@jax.jit
def by_map(rates: Any, states: Any, x: Any, y: Any, order: Any) -> Any:
    """The models one after another inside a program."""
    orders = jnp.broadcast_to(order, (MODELS, len(x)))

    def one(model: Any) -> Any:
        rate, state, rows = model
        return epoch(rate, state, x, y, rows)

    return jax.lax.map(one, (rates, states, orders))


def change(result: Any, inputs: Inputs) -> Any:
    """How far the first epoch moved the parameters of each model, and the mean objectives."""
    params, values = result
    params = nn.stack(params) if isinstance(params, list) else params
    moved = jax.tree.map(lambda new, old: np.asarray(new) - old, params, inputs.states.params)
    return moved, np.asarray(values)


CONTENDERS = (
    Contender("together", "ours", together, change),
    Contender("one after another", "idiomatic", one_after_another, change),
    Contender("lax.map", "strongest", by_map, change),
    Contender("jax.vmap", "strongest", by_vmap, change),
)


def cases(quick: bool) -> Iterator[Case]:
    """The same mini-batches for all models, and other ones for each."""
    for title in (SHARED, OWN):
        given = draw(100 if quick else 1000, own=title == OWN)
        yield Case(title, given, CONTENDERS, rate=(MODELS, "models/s"))


def beside(title: str) -> Callable[[Found], float | None]:
    """Our speed beside one after another."""
    return lambda found: found.speed(title, "ours", "idiomatic")


WORKLOAD = Workload(
    "many models at once",
    "How long an epoch of a whole sweep takes. What vmap makes of a mini-batch for all models "
    "copies all their weights in every step; one wide product does not.",
    races(cases),
    (
        Goal(13, "one order: beside one after another", ">= 2.4", beside(SHARED)),
        Goal(13, "orders of their own: beside one after another", ">= 1.2", beside(OWN)),
    ),
)
