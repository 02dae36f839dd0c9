"""An epoch of a network of many equal layers: 256 times 128 units and tanh, 8 mini-batches of 32.

Unrolled, every layer is code of its own, which takes long to compile. In a scan all layers are one
piece of code over stacked parameters, and what backward needs is kept in stacked arrays. Softmax
cross-entropy, plain gradient descent, weights after Glorot. The epoch is one program with donated
parameters, so that memory is reserved once for all steps, as where users train.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxnn as nn
from experiments.bench.beside_autodiff import by_logsumexp
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload, ratio

WIDTH, BATCH, BATCHES, DEPTH, RATE = 128, 32, 8, 256, 1e-3
LAYER = nn.serial(nn.Dense(WIDTH), nn.tanh)
OURS, UNROLLED = "jaxnn", "jaxnn, unrolled"
BY_GRAD, BY_GRAD_STACKED = "jax.grad, unrolled", "jax.grad of a scan"


class Inputs(NamedTuple):
    """w (depth, width, width), b (depth, width), x (examples, width), labels y (examples,)."""

    w: Any
    b: Any
    x: Any
    y: Any


def draw(depth: int) -> Callable[[Any], Inputs]:
    """Labels that mean nothing, one for each unit of the last layer."""

    def drawn(rng: Any) -> Inputs:
        n = BATCHES * BATCH
        w = rng.normal(size=(depth, WIDTH, WIDTH)) / np.sqrt(WIDTH)
        x, y = rng.normal(size=(n, WIDTH)), rng.integers(0, WIDTH, n)
        b = np.zeros((depth, WIDTH), np.float32)
        return Inputs(w.astype(np.float32), b, x.astype(np.float32), y.astype(np.int32))

    return drawn


def records(inputs: Inputs) -> tuple[Any, ...]:
    """The parameters, a record for each layer."""
    return tuple(nn.Affine(*map(jnp.asarray, pair)) for pair in zip(*inputs[:2], strict=True))


def stack(inputs: Inputs) -> nn.Affine:
    """The parameters, one record with a first axis for the layers."""
    return nn.Affine(jnp.array(inputs.w), jnp.array(inputs.b))


def repeated(inputs: Inputs) -> Program:
    """`jaxnn.train_epoch` of `Repeat`."""
    return epoch(nn.Repeat(LAYER, len(inputs.w)), (stack(inputs), ()), inputs)


def unrolled(inputs: Inputs) -> Program:
    """`jaxnn.train_epoch` of `serial`."""
    params = tuple(part for record in records(inputs) for part in (record, ()))
    return epoch(nn.serial(*LAYER.layers * len(inputs.w)), params, inputs)


def epoch(net: nn.Layer, params: Any, inputs: Inputs) -> Program:
    """An epoch of the network from these parameters on."""
    optimizer, order = nn.SGD(RATE), np.arange(len(inputs.x))

    def train(state: Any, x: Any, y: Any) -> Any:
        return nn.train_epoch(
            net, nn.softmax_cross_entropy, optimizer, state, x, y, order, batch_size=BATCH
        )

    return start(train, nn.State(params, optimizer.init(params)), inputs)


def start(train: Callable[..., Any], state: Any, inputs: Inputs) -> Program:
    """The epoch from this state on, which is donated."""
    return Program(train, state, jnp.asarray(inputs.x), jnp.asarray(inputs.y), carry=True)


def hidden(x: Any, record: Any) -> Any:
    """A layer, as a JAX user writes it."""
    w, b = record
    return jnp.tanh(x @ w + b)


def in_a_loop(params: Any, x: Any) -> Any:
    """All layers in a Python loop."""
    for record in params:
        x = hidden(x, record)
    return x


def in_a_scan(params: Any, x: Any) -> Any:
    """All layers in a scan."""
    return lax.scan(lambda x, record: (hidden(x, record), None), x, params)[0]


def autodiff(network: Any, arrange: Callable[[Inputs], Any]) -> Callable[[Inputs], Program]:
    """Steps with `jax.value_and_grad`, with the loss in the form that suits autodiff best."""

    def step(params: Any, batch: Any) -> Any:
        x, y = batch
        value, grads = jax.value_and_grad(lambda p: by_logsumexp(network(p, x), y))(params)
        return jax.tree.map(lambda p, g: p - RATE * g, params, grads), value

    def train(params: Any, x: Any, y: Any) -> Any:
        batches = x.reshape(BATCHES, BATCH, -1), y.reshape(BATCHES, BATCH)
        params, values = lax.scan(step, params, batches)
        return params, values.mean()

    return lambda inputs: start(train, arrange(inputs), inputs)


def change(result: Any, inputs: Inputs) -> list[np.ndarray]:
    """How the epoch changed the parameters, stacked."""
    params = getattr(result[0], "params", result[0])
    leaves = jax.tree.leaves(params)
    if len(leaves) > 2:  # w and b of each layer in turn
        leaves = [np.stack(leaves[0::2]), np.stack(leaves[1::2])]
    return [np.asarray(new) - old for new, old in zip(leaves, inputs[:2], strict=True)]


def title(depth: int) -> str:
    """As in 256 layers of 128, batch 32."""
    return f"{depth} layers of {WIDTH}, batch {BATCH}"


def cases(quick: bool) -> Iterator[Case]:
    """One depth."""
    depth = 32 if quick else DEPTH
    found = (
        Contender(OURS, "ours", repeated, change),
        Contender(UNROLLED, "ours", unrolled, change),
        Contender(BY_GRAD, "idiomatic", autodiff(in_a_loop, records), change),
        Contender(BY_GRAD_STACKED, "strongest", autodiff(in_a_scan, stack), change),
    )
    yield Case(title(depth), draw(depth), found, 0.02, (BATCHES * BATCH, "examples/s"))


def speed(beside: str) -> Callable[[Found], float | None]:
    """Our scan beside that."""
    return lambda found: found.speed(title(DEPTH), OURS, beside)


def share(key: str, beside: str) -> Callable[[Found], float | None]:
    """A figure of our scan, that of the other being 1."""
    case = title(DEPTH)
    return lambda found: ratio(found.figure(case, OURS, key), found.figure(case, beside, key))


WORKLOAD = Workload(
    "a very deep network",
    "How to train a hundred layers and more that are alike: with `Repeat`, which compiles one of "
    "them. Unrolled, our backward and jax.grad are the same program, for XLA, which updates each "
    "weight while it is in the cache: a scan has that against it.",
    races(cases),
    (
        Goal(3, "256 layers: beside jax.grad, unrolled", ">= 1.6", speed(BY_GRAD)),
        Goal(3, "256 layers: beside jax.grad of a scan", ">= 1.2", speed(BY_GRAD_STACKED)),
        Goal(3, "compiling, unrolled being 1", "<= 0.5", share("compile CPU s", BY_GRAD)),
        Goal(3, "memory, jax.grad of a scan being 1", "<= 0.72", share("temp MB", BY_GRAD_STACKED)),
    ),
)
