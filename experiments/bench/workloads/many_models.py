"""An epoch of 32 models 784-30-10: together in one program, and one after another.

Sigmoid, softmax cross-entropy, plain gradient descent, mini-batches of 10, 1000 examples. Every
model has first weights and a learning rate of its own; the order of the examples is the same for
all, or each has its own. One after another, each model has an epoch by `jax.grad` that is compiled
once, one of `jaxnn.train_epoch`, or one of another library. In one program, `jax.vmap` and
`lax.map` are around `jaxnn.train_epoch`; ours is `jaxnn.train_epoch_together`.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench import mlp_peers
from experiments.bench.beside_autodiff import by_one_hot
from experiments.bench.method import races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload
from experiments.bench.workloads import mlp

NET = nn.serial(nn.Dense(30), nn.sigmoid, nn.Dense(10))
MODELS, BATCH = 32, 10
SHARED, OWN = "32 models, one order", "32 models, orders of their own"
TORCH, SKLEARN = "torch, one after another", "scikit-learn, one after another"


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
            return states, values

        return call

    return make


def one_by_one(run: Callable[..., Any], first: Callable[[Any], Any]) -> Any:
    """A contender `run(rate, state, x, y, order)` that is called model by model, each with its
    state, `first` of the first one, on the device."""

    def make(inputs: Inputs) -> Callable[[], Any]:
        x, y = jnp.array(inputs.x), jnp.array(inputs.y)
        states = [jax.tree.map(jnp.array, first(state)) for state in nn.unstack(inputs.states)]
        orders = np.broadcast_to(inputs.order, (MODELS, len(x)))

        def call() -> Any:
            values = []
            for i, rate in enumerate(inputs.rates):
                states[i], value = run(rate, states[i], x, y, orders[i])
                values.append(value)
            return jax.block_until_ready((states, values))

        return call

    return make


def pairs(state: nn.State) -> tuple[Any, ...]:
    """(w, b) of every layer that has them."""
    return tuple((record.w, record.b) for record in state.params if record)


@partial(jax.jit, donate_argnums=1)
def by_grad(rate: Any, params: Any, x: Any, y: Any, order: Any) -> Any:
    """The epoch of one model by autodiff, as in `mlp`."""
    return mlp.scan(partial(mlp.descend, by_one_hot, rate), BATCH, params, x, y, order)


def peer(epoch_of: Callable[[Any, float], Callable[[], Any]]) -> Callable[[Inputs], Any]:
    """An epoch of another library, `epoch_of(inputs of one model, rate)`, model by model."""

    def make(inputs: Inputs) -> Callable[[], Any]:
        states = nn.unstack(inputs.states)
        orders = np.broadcast_to(inputs.order, (MODELS, len(inputs.x)))
        epochs = [
            epoch_of(mlp.Inputs(pairs(state), inputs.x, inputs.y, order, BATCH), float(rate))
            for state, order, rate in zip(states, orders, inputs.rates, strict=True)
        ]
        return lambda: [run() for run in epochs]

    return make


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


def change(models: Callable[[Any], Any]) -> Callable[[Any, Inputs], Any]:
    """What must agree, of the parameters of all models, a list of arrays for each, that `models`
    finds in a result: how far the first epoch moved them, for a learning rate of one."""

    def answer(result: Any, inputs: Inputs) -> Any:
        arrays = (np.stack(each) for each in zip(*models(result), strict=True))
        old = jax.tree.leaves(inputs.states.params)
        return [
            np.moveaxis(np.moveaxis(np.asarray(new) - before, 0, -1) / inputs.rates, -1, 0)
            for new, before in zip(arrays, old, strict=True)
        ]

    return answer


def leaves(states: Any) -> list[Any]:
    """The arrays of every state, or of all if they are stacked."""
    each = states if isinstance(states, list) else nn.unstack(states)
    return [jax.tree.leaves(getattr(state, "params", state)) for state in each]


def contenders() -> tuple[Contender, ...]:
    """Ours first."""
    ours = change(lambda result: leaves(result[0]))
    by_torch = change(lambda nets: map(mlp_peers.torch_arrays, nets))
    by_sklearn = change(lambda nets: map(mlp_peers.sklearn_arrays, nets))
    grads = one_by_one(by_grad, pairs)
    epochs = one_by_one(epoch, lambda state: state)
    torch, sklearn = peer(mlp_peers.torch_epoch), peer(mlp_peers.sklearn_epoch)
    return (
        Contender("together", "ours", together, ours),
        Contender("jax.grad, one after another", "idiomatic", grads, ours),
        Contender("train_epoch, one after another", "strongest", epochs, ours),
        Contender("lax.map", "strongest", by_map, ours),
        Contender("jax.vmap", "strongest", by_vmap, ours),
        Contender(TORCH, "peer", torch, by_torch, "torch"),
        Contender(SKLEARN, "peer", sklearn, by_sklearn, "sklearn"),
    )


def cases(quick: bool) -> Iterator[Case]:
    """The same mini-batches for all models, and other ones for each."""
    for title in (SHARED, OWN):
        given = draw(100 if quick else 1000, own=title == OWN)
        yield Case(title, given, contenders(), rate=(MODELS, "models/s"))


def beside(title: str, name: str = "idiomatic") -> Callable[[Found], float | None]:
    """Our speed beside that one."""
    return lambda found: found.speed(title, "ours", name)


WORKLOAD = Workload(
    "many models at once",
    "How long an epoch of a whole sweep takes. What vmap makes of a mini-batch for all models "
    "copies all their weights in every step; one wide product does not.",
    races(cases),
    (
        Goal(13, "one order: beside jax.grad, one after another", ">= 2.4", beside(SHARED)),
        Goal(13, "one order: beside eager torch", ">= 20", beside(SHARED, TORCH)),
        Goal(13, "one order: beside scikit-learn", ">= 12", beside(SHARED, SKLEARN)),
        Goal(13, "orders of their own: beside jax.grad", ">= 1.2", beside(OWN)),
    ),
)
