"""The programs that `bench gate` watches: training, readings, layers, losses.

Each call of `build` makes all values anew, so that what compiles again for an equal one shows.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxnn as nn
from experiments.bench.gate_images import IMAGES
from jaxnn.core.layer import output_like


class Call(NamedTuple):
    """`function(*args, **options)`; the arrays of the arguments at `donate` may be reused."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    donate: tuple[int, ...] = ()


class Program(NamedTuple):
    """A name, under which figures are kept, and what builds the call."""

    name: str
    build: Callable[[], Call]


NETWORKS: dict[str, Callable[[], nn.Layer]] = {
    "784-30-10": lambda: nn.serial(nn.Dense(30), nn.sigmoid, nn.Dense(10)),
    "784-392-196-10": lambda: nn.serial(
        nn.Dense(392), nn.relu, nn.Dense(196), nn.relu, nn.Dense(10)
    ),
    "784-100-10, regularised": lambda: nn.serial(
        nn.Dense(100), nn.BatchNorm(), nn.tanh, nn.Dropout(0.5), nn.Dense(10)
    ),
}
READINGS: dict[str, Callable[[], Any]] = {
    "gradient": lambda: nn.gradient,
    "per_example": lambda: nn.per_example,
    "squared_norms": lambda: nn.readings.SquaredNorms(),
    "second_moment": lambda: nn.readings.second_moment,
    "variance": lambda: nn.readings.variance,
    "noise_scale": lambda: nn.readings.noise_scale,
    "clipped": lambda: nn.clipped(1.0),
    "gram": lambda: nn.readings.gram,
    "kronecker": lambda: nn.curvature.kronecker,
    "three at once": lambda: (nn.gradient, nn.squared_norms, nn.readings.second_moment),
}
LAYERS: tuple[tuple[tuple[int, ...], Callable[[], nn.Layer]], ...] = (
    ((64, 96), lambda: nn.Dense(128)),
    ((16, 24, 96), lambda: nn.Dense(128, bias=False)),
    ((64, 96), lambda: nn.linear(2.0)),
    ((64, 96), lambda: nn.step(0.5)),
    ((64, 96), lambda: nn.sigmoid),
    ((64, 96), lambda: nn.tanh),
    ((64, 96), lambda: nn.relu),
    ((64, 96), lambda: nn.leaky_relu(0.1)),
    ((64, 96), lambda: nn.softplus),
    ((64, 96), lambda: nn.elu(1.0)),
    ((64, 96), lambda: nn.gelu),
    ((64, 96), lambda: nn.silu),
    ((64, 96), lambda: nn.softmax),
    ((16, 8, 12), lambda: nn.Flatten()),
    ((64, 96), lambda: nn.Dropout(0.4)),
    ((64, 96), lambda: nn.Dropout(0.5, draw="exact")),
    ((64, 96), lambda: nn.DropConnect(128, drop_rate=0.5)),
    ((64, 96), lambda: nn.BatchNorm()),
    ((16, 24, 96), lambda: nn.BatchNorm()),
    ((64, 96), lambda: nn.layers.Rescale()),
    ((64, 96), lambda: nn.Skip(nn.serial(nn.Dense(96), nn.tanh))),
    ((64, 96), lambda: nn.Repeat(nn.serial(nn.Dense(96), nn.tanh), 8)),
    ((64, 96), lambda: nn.Repeat(nn.Recompute(nn.serial(nn.Dense(96), nn.tanh)), 8)),
    ((64, 96), lambda: nn.Parallel((nn.Dense(32), nn.tanh), "concat")),
    ((64, 96), lambda: nn.Product((nn.Dense(96), nn.sigmoid))),
    ((64, 96), lambda: nn.Tie(nn.serial(nn.Dense(32), nn.Dense(96)), ("[0].w", "[1].w.T"))),
    ((64, 96), lambda: nn.MixedPrecision(nn.serial(nn.Dense(128), nn.relu))),
    ((64, 96), lambda: nn.feedback.WithBackward(nn.step, nn.feedback.StraightThrough())),
    ((64, 96), lambda: nn.feedback.WithBackward(nn.Dense(128), nn.feedback.FeedbackAlignment())),
    *IMAGES,
)
ON_SEVERAL: tuple[Callable[[], nn.Layer], ...] = (
    lambda: nn.serial(nn.Main(nn.Dense(96)), nn.Take(0)),
    lambda: nn.serial(
        nn.Repeat(nn.Skip(nn.Join(nn.Parallel((nn.Take(0), nn.Take(1)), "sum"))), 8), nn.Take(0)
    ),
)
# 128 to 16,384 classes for 512 rows, and 12 blocks: what is kept, and what is never there at once
HEAD = ((512, 128), lambda: nn.Chunked(nn.Dense(16384), 128))
LEAN: dict[str, tuple[tuple[int, ...], Callable[[], nn.Layer]]] = {
    "a head of 16,384": (HEAD[0], lambda: nn.Dense(16384)),
    "the head in parts": HEAD,
    "the head in parts, MixedPrecision": (
        HEAD[0],
        lambda: nn.MixedPrecision(HEAD[1](), "float32"),
    ),
    "the head in parts, tied": (
        (512,),
        lambda: nn.Tie(nn.serial(nn.Embedding(16384, 128), HEAD[1]()), ("[0].rows", "[1].w")),
    ),
    "12 blocks": ((512, 256), lambda: nn.Repeat(block(), 12)),
    "12 blocks, Recompute": ((512, 256), lambda: nn.Repeat(nn.Recompute(block()), 12)),
}
ON_IDS: tuple[Callable[[], nn.Layer], ...] = (
    lambda: nn.Embedding(1000, 32),
    lambda: nn.OneHot(100),
    lambda: nn.Pixels(),
)
LOSSES: tuple[tuple[Any, Callable[[], nn.Loss]], ...] = (
    ("labels", lambda: nn.softmax_cross_entropy),
    ("labels", lambda: nn.softmax_cross_entropy.replace(smoothing=0.1)),
    ("targets", lambda: nn.softmax_cross_entropy),
    ("targets", lambda: nn.sigmoid_cross_entropy),
    ("targets", lambda: nn.half_square),
    ("targets", lambda: nn.sum_square),
)


def programs() -> Iterator[Program]:
    """All of them."""
    for name in NETWORKS:
        yield Program(f"train_step {name}", lambda name=name: training(name, None))
        yield Program(f"train_epoch {name}", lambda name=name: training(name, 3))
    yield Program("train_epoch 784-30-10, by columns", lambda: training("784-30-10", 140))
    yield Program("train_epoch_together", together)
    yield Program("evaluate", evaluation)
    for name in READINGS:
        yield Program(f"backprop {name}", lambda name=name: reading(name))
    yield Program("ggn_diagonal", diagonal)
    for shape, make in LAYERS:
        x = np.full(shape, 0.5, np.float32)
        yield Program(_named(make(), x), lambda make=make, x=x: layer(make(), x))
    for make in ON_SEVERAL:
        x = np.full((64, 96), 0.5, np.float32)
        yield Program(_named(make(), x), lambda make=make, x=x: layer(make(), (x, x)))
    for name in LEAN:
        yield Program(f"backprop {name}", lambda name=name: lean(name))
    for make in ON_IDS:
        x = np.ones((16, 24), np.uint8)
        yield Program(_named(make(), x), lambda make=make, x=x: layer(make(), x))
    for kind, make in LOSSES:
        yield Program(f"{make()!r} of {kind}", lambda kind=kind, make=make: loss(make(), kind))


def training(name: str, steps: int | None) -> Call:
    """A step, or an epoch of some steps and a smaller last one, at batch 32."""
    net, optimizer = NETWORKS[name](), nn.Adam(0.001) if "regularised" in name else nn.SGD(0.1)
    x, y = examples(32 if steps is None else 32 * steps + 5)
    given = key() if "regularised" in name else None
    state = filled(jax.eval_shape(lambda: nn.start(net, optimizer, key(), x)))
    parts = net, nn.softmax_cross_entropy.replace(smoothing=0.0), optimizer, state, x, y
    if steps is None:
        return Call(nn.train_step, (*parts, given))
    order = np.arange(len(x), dtype=np.int32)
    return Call(nn.train_epoch, (*parts, order, given), {"batch_size": 32}, donate=(3,))


def together() -> Call:
    """An epoch of eight networks with their own learning rates."""
    net, x, y = NETWORKS["784-30-10"](), *examples(96)
    optimizer = nn.stack([nn.SGD(0.01 * i) for i in range(8)])
    state = filled(jax.eval_shape(lambda: nn.start(net, nn.SGD(0.1), key(), x)))
    states = jax.tree.map(lambda leaf: np.stack([leaf] * 8), state)
    order = np.arange(len(x), dtype=np.int32)
    args = net, nn.softmax_cross_entropy, optimizer, states, x, y, order
    return Call(nn.train_epoch_together, args, {"batch_size": 32}, donate=(3,))


def evaluation() -> Call:
    """The loss on some examples."""
    net, x, y = NETWORKS["784-392-196-10"](), *examples(96)
    params = filled(jax.eval_shape(net.init, key(), x))
    return Call(nn.evaluate, (net, nn.softmax_cross_entropy, params, x, y))


def reading(name: str) -> Call:
    """`backprop` with that reading, at batch 32."""
    net, x, y = nn.serial(nn.Dense(128), nn.relu, nn.Dense(10)), *examples(32)
    params = filled(jax.eval_shape(net.init, key(), x))
    args = net, nn.softmax_cross_entropy, params, x, y
    return Call(nn.backprop, args, {"read": READINGS[name]()})


def diagonal() -> Call:
    """The diagonal of the Gauss-Newton matrix, at batch 32."""
    return Call(nn.curvature.ggn_diagonal, reading("gradient").args)


def block() -> nn.Layer:
    """x + 1024-gelu-256 of x, normalised."""
    return nn.Skip(nn.serial(nn.LayerNorm(), nn.Dense(1024), nn.gelu, nn.Dense(256)))


def lean(name: str) -> Call:
    """Value and gradient."""
    shape, make = LEAN[name]
    net, x = make(), np.ones(shape, np.float32 if len(shape) > 1 else np.int32)
    params = filled(jax.eval_shape(net.init, key(), x))
    loss, y = nn.softmax_cross_entropy, np.ones(shape[:1], np.int32)
    return Call(nn.backprop, (net, loss, params, x, y))


def layer(one: nn.Layer, x: Any) -> Call:
    """Forward and backward of a layer, with its gradients."""
    params = filled(jax.eval_shape(one.init, key(), x))
    dy = filled(output_like(one, params, x, key()))
    return Call(_there_and_back, (one, params, x, dy, key()))


def loss(one: nn.Loss, kind: str) -> Call:
    """The values and deltas of a loss, for 64 outputs of length 1000."""
    outputs = np.full((64, 1000), 0.5, np.float32)
    y = np.ones(64, np.int32) if kind == "labels" else np.full((64, 1000), 0.001, np.float32)
    return Call(_values_and_deltas, (one, outputs, y))


@jax.jit
def _there_and_back(one: nn.Layer, params: Any, x: Any, dy: Any, key: Any) -> Any:
    y, residuals = one.forward(params, x, key)
    return y, one.backward(params, residuals, dy, nn.gradient)


@jax.jit
def _values_and_deltas(one: nn.Loss, outputs: Any, y: Any) -> Any:
    return one(outputs, y)


def examples(n: int) -> tuple[Any, Any]:
    """x (n, 784) and labels; what the numbers are makes no difference to a program."""
    return np.full((n, 784), 0.5, np.float32), np.ones(n, np.int32)


def key() -> Any:
    """For what draws at random; made here, and not on import, which would start a backend."""
    return jax.random.key(0)


def filled(shapes: Any) -> Any:
    """Arrays of those shapes, without compiling anything."""
    return jax.tree.map(lambda leaf: np.full(leaf.shape, 0.01, leaf.dtype), shapes)


def _named(one: nn.Layer, x: Any) -> str:
    return f"{one!r} of {'x'.join(map(str, x.shape))}"
