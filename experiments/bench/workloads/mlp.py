"""Whole epochs of multilayer perceptrons: ours, `jax.grad` in two forms, and others.

Sigmoid layers, softmax cross-entropy, plain gradient descent. Each JAX program is one `lax.scan`
over mini-batches with donated parameters, on data that lies on the device, rows gathered in every
step. Our time is that of `jaxnn.train_epoch` as a user calls it, with its checks.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxnn as nn
from experiments.bench import mlp_peers
from experiments.bench.beside_autodiff import by_logsumexp, by_one_hot
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload

THIN, MIDDLE, WIDE = (784, 30, 10), (784, 392, 196, 10), (784, 2048, 2048, 10)
BATCHES = 10, 32, 128, 1024
RATE = 0.01
WORK = 1.6e10  # flops of a call, about: a real epoch has more, but would drag


class Inputs(NamedTuple):
    """Parameters ((w, b), ...) of numpy, x (n, 784) in [0, 1), labels y (n,), the order of rows."""

    params: tuple[tuple[Any, Any], ...]
    x: Any
    y: Any
    order: Any
    batch: int


def title(widths: tuple[int, ...], batch: int) -> str:
    """As in 784-30-10, batch 10."""
    return f"{'-'.join(map(str, widths))}, batch {batch}"


def examples(widths: tuple[int, ...], batch: int) -> int:
    """How many examples an epoch has: whole mini-batches, two thousand at most."""
    flops = 6 * batch * sum(a * b for a, b in itertools.pairwise(widths))
    return batch * max(1, min(2000, round(WORK / flops)))


def draw(widths: tuple[int, ...], batch: int, n: int) -> Callable[[Any], Inputs]:
    """Inputs at random: Glorot weights, zero biases, labels that mean nothing."""

    def drawn(rng: Any) -> Inputs:
        params = []
        for n_in, n_out in itertools.pairwise(widths):
            w = rng.normal(size=(n_in, n_out)) * np.sqrt(2 / (n_in + n_out))
            params.append((w.astype(np.float32), np.zeros(n_out, np.float32)))
        x = rng.random((n, widths[0]), np.float32)
        y = rng.integers(0, widths[-1], n).astype(np.int32)
        return Inputs(tuple(params), x, y, rng.permutation(n).astype(np.int32), batch)

    return drawn


def on_device(inputs: Inputs) -> tuple[Any, ...]:
    """Copies of (params, x, y, order) for one contender, which may donate them."""
    return jax.tree.map(jnp.array, inputs[:4])


class Ours:
    """`jaxnn.train_epoch`, again and again from where it stopped."""

    def __init__(self, inputs: Inputs) -> None:
        params, self.x, self.y, _ = on_device(inputs)
        self.order, self.batch, self.optimizer = inputs.order, inputs.batch, nn.SGD(RATE)
        layers = [part for _, b in params for part in (nn.Dense(len(b)), nn.sigmoid)]
        self.net = nn.serial(*layers[:-1])
        records = [part for w, b in params for part in (nn.Affine(w, b), ())][:-1]
        found = tuple(records)
        self.state = nn.State(found, self.optimizer.init(found))
        given = self.state, self.x, self.y, jnp.asarray(self.order)
        self.figures = Program(self.epoch, *given).figures

    def epoch(self, state: Any, x: Any, y: Any, order: Any) -> Any:
        """One epoch: (state, mean objective)."""
        return nn.train_epoch(
            self.net,
            nn.softmax_cross_entropy,
            self.optimizer,
            state,
            x,
            y,
            order,
            batch_size=self.batch,
        )

    def __call__(self) -> Any:
        found = self.epoch(self.state, self.x, self.y, self.order)
        self.state, value = jax.block_until_ready(found)
        return self.state.params, value


def forward(params: Any, x: Any) -> Any:
    """The logits, as a JAX user writes them."""
    *hidden, (w, b) = params
    for w_l, b_l in hidden:
        x = jax.nn.sigmoid(x @ w_l + b_l)
    return x @ w + b


def forward_by_columns(params: Any, x: Any) -> Any:
    """The same with every w (n_out, n_in) and a column for each example, as in the textbooks."""
    *hidden, (w, b) = params
    a = x.T
    for w_l, b_l in hidden:
        a = jax.nn.sigmoid(w_l @ a + b_l[:, None])
    return (w @ a + b[:, None]).T


def autodiff(cross_entropy: Any, network: Any = forward) -> Callable[[Inputs], Program]:
    """The same epoch with `jax.value_and_grad` of that loss."""
    return lambda inputs: epoch_of(partial(descend, cross_entropy, RATE, network=network), inputs)


def by_columns(inputs: Inputs) -> Program:
    """The same by columns, from weights that were turned round beforehand."""
    turned = tuple((w.T.copy(), b) for w, b in inputs.params)
    return autodiff(by_one_hot, forward_by_columns)(inputs._replace(params=turned))


def descend(
    cross_entropy: Any, rate: Any, params: Any, x: Any, y: Any, network: Any = forward
) -> Any:
    """A step down the gradient by `jax.value_and_grad`: (params, value)."""

    def objective(params: Any) -> Any:
        return cross_entropy(network(params, x), y)

    value, grads = jax.value_and_grad(objective)(params)
    return jax.tree.map(lambda p, g: p - rate * g, params, grads), value


def products(params: Any, x: Any, y: Any) -> Any:
    """The matrix products of a step, with what each one waits for, and the update of the weights:
    no biases, no sigmoid, no loss. The rate is so low that nothing grows or shrinks."""
    del y
    acts = [x]
    for w, _ in params:
        acts.append(acts[-1] @ w)
    d, new = acts[-1], []
    for (w, b), a in zip(reversed(params), reversed(acts[:-1]), strict=True):
        new.append((w - 1e-12 * (a.T @ d), b))
        d = d @ w.T  # that of the input is wanted by nobody, and dropped
    return tuple(reversed(new)), acts[-1][0, 0]


def epoch_of(step: Callable[..., Any], inputs: Inputs) -> Program:
    """A program of a whole epoch of that step."""
    return Program(partial(scan, step, inputs.batch), *on_device(inputs), carry=True)


def scan(step: Any, batch: int, params: Any, x: Any, y: Any, order: Any) -> Any:
    """An epoch of `step(params, x, y)` -> (params, value): (params, mean value)."""
    rows = order.reshape(-1, batch)
    params, values = lax.scan(lambda p, i: step(p, x[i], y[i]), params, rows)
    return params, values.mean()


def contenders() -> tuple[Contender, ...]:
    """Ours first; what must agree is how the first epoch changes the parameters."""
    torch, sklearn = change(mlp_peers.torch_arrays), change(mlp_peers.sklearn_arrays)
    ours = change(lambda result: jax.tree.leaves(result[0]))
    turned = change(lambda result: [leaf.T for leaf in jax.tree.leaves(result[0])])
    return (
        Contender("jaxnn", "ours", Ours, ours),
        Contender("jax.grad, one-hot", "idiomatic", autodiff(by_one_hot), ours),
        Contender("jax.grad, logsumexp", "strongest", autodiff(by_logsumexp), ours),
        Contender("jax.grad, columns", "strongest", by_columns, turned),
        Contender("products and update", "floor", lambda i: epoch_of(products, i), None),
        Contender("torch, eager", "peer", mlp_peers.torch_epoch, torch, "torch"),
        Contender("scikit-learn", "peer", mlp_peers.sklearn_epoch, sklearn, "sklearn"),
    )


def change(arrays: Callable[[Any], list[Any]]) -> Callable[[Any, Inputs], list[Any]]:
    """The `answer` of a contender whose parameters `arrays` finds in its result."""

    def answer(result: Any, inputs: Inputs) -> list[Any]:
        pairs = zip(arrays(result), jax.tree.leaves(inputs.params), strict=True)
        return [np.asarray(new) - old for new, old in pairs]

    return answer


def cases(quick: bool) -> Iterator[Case]:
    """Three networks at four batches; two cases if quick."""
    for widths in (THIN, MIDDLE) if quick else (THIN, MIDDLE, WIDE):
        for batch in (32,) if quick else BATCHES:
            n = 4 * batch if quick else examples(widths, batch)
            given = draw(widths, batch, n)
            rate = n, "examples/s"
            yield Case(title(widths, batch), given, contenders(), 0.01, rate)


def share_of_floor(found: Found) -> float | None:
    """The lowest speed beside the floor where products dominate."""
    large = {title(widths, batch) for widths in (MIDDLE, WIDE) for batch in BATCHES[1:]}
    return found.least(large.__contains__, "ours", "floor")


def thin(beside: str) -> Callable[[Found], float | None]:
    """Our speed on the thin network at batch 10."""
    return lambda found: found.speed(title(THIN, 10), "ours", beside)


WORKLOAD = Workload(
    "whole-epoch training of perceptrons",
    "How long an epoch takes. Where layers are wide, matrix products are nearly all of it, and a "
    "backward pass by hand gains nothing over jax.grad. What is gained with a thin first layer is "
    "its layout, chosen by shape: jax.grad gains as much where the user turns weights and data "
    "round himself.",
    races(cases),
    (
        Goal(
            1,
            "every network and batch: speed beside jax.grad, the least",
            ">= 1.0",
            lambda found: found.least(lambda _: True, "ours", "idiomatic"),
        ),
        Goal(1, "batch >= 32, width >= 196: share of the floor's speed", ">= 0.9", share_of_floor),
        Goal(2, "784-30-10, batch 10: beside jax.grad", ">= 1.4", thin("idiomatic")),
        Goal(2, "784-30-10, batch 10: beside eager torch", ">= 10", thin("torch, eager")),
        Goal(2, "784-30-10, batch 10: beside scikit-learn", ">= 6", thin("scikit-learn")),
    ),
)
