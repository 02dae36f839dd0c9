"""Losses alone: the mean over a mini-batch and its derivative by the outputs.

A loss has no residuals to save, so all that can be won is to pass over the outputs less often and
to keep nothing of their size: an array of log-probabilities, or one-hot rows.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench import passes
from experiments.bench.beside_autodiff import by_logsumexp, by_one_hot
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload, ratio

BATCH, CLASSES = 1024, (10, 1000, 32768)


class Row(NamedTuple):
    """A loss, the two forms for autodiff, `f(z, y)`, the second None where nothing better is known,
    and torch's sum over the batch, `f(torch, z, y)`. `labels` are integers, else y is like z."""

    loss: nn.Loss
    idiomatic: Callable[..., Any]
    strongest: Callable[..., Any] | None
    torch: Callable[..., Any]
    labels: bool = False


def log_sigmoids(z: Any, t: Any) -> Any:
    """The cross-entropy of several sigmoids, as it is usually written."""
    return -(t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)).sum(-1).mean()


def softplus_form(z: Any, t: Any) -> Any:
    """The same with one exponential: log(1 + e^z) - t z."""
    return (jax.nn.softplus(z) - t * z).sum(-1).mean()


def quadratic(z: Any, t: Any) -> Any:
    """The quadratic cost."""
    return 0.5 * ((z - t) ** 2).sum(-1).mean()


SOFTMAX = Row(
    nn.softmax_cross_entropy,
    by_one_hot,
    by_logsumexp,
    lambda torch, z, y: torch.nn.functional.cross_entropy(z, y.long(), reduction="sum"),
    labels=True,
)
SIGMOID = Row(
    nn.sigmoid_cross_entropy,
    log_sigmoids,
    softplus_form,
    lambda torch, z, y: torch.nn.functional.binary_cross_entropy_with_logits(z, y, reduction="sum"),
)
SQUARE = Row(
    nn.half_square,
    quadratic,
    None,
    lambda torch, z, y: 0.5 * torch.nn.functional.mse_loss(z, y, reduction="sum"),
)


def draw(row: Row, shape: tuple[int, int]) -> Callable[[Any], Any]:
    """(z, y): outputs and targets."""

    def drawn(rng: Any) -> Any:
        z = rng.normal(size=shape).astype(np.float32)
        if row.labels:
            y = rng.integers(0, shape[-1], shape[0]).astype(np.int32)
        else:
            y = rng.random(shape, np.float32)
        return jnp.asarray(z), jnp.asarray(y)

    return drawn


def by_hand(loss: nn.Loss) -> Callable[[Any], Program]:
    """Ours: values and deltas of the examples, made those of the mean."""

    def both(z: Any, y: Any) -> Any:
        values, deltas = loss(z, y)
        return values.mean(), deltas * (1 / len(z))

    return lambda inputs: Program(both, *inputs)


def by_autodiff(function: Callable[..., Any]) -> Callable[[Any], Program]:
    """`jax.value_and_grad` by the outputs."""
    return lambda inputs: Program(jax.value_and_grad(function), *inputs)


def by_torch(function: Callable[..., Any]) -> Callable[[Any], Callable[[], Any]]:
    """Eager torch."""

    def make(inputs: Any) -> Callable[[], Any]:
        import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

        gpu = passes.on_gpu(torch)
        z, y = (torch.tensor(np.asarray(a), device="cuda" if gpu else "cpu") for a in inputs)
        z.requires_grad_()

        def both() -> Any:
            z.grad = None
            value = function(torch, z, y) / len(z)
            value.backward()
            if gpu:
                torch.cuda.synchronize()
            return value, z.grad

        return both

    return make


def title(loss: nn.Loss, shape: tuple[int, int]) -> str:
    """As in softmax_cross_entropy, 1024 x 10."""
    return f"{loss!r}, {shape[0]} x {shape[1]}"


def race(row: Row, shape: tuple[int, int]) -> Case:
    """A row as a case."""
    answer = passes.arrays
    found = [
        Contender("jaxnn", "ours", by_hand(row.loss), answer),
        Contender("jax.grad", "idiomatic", by_autodiff(row.idiomatic), answer),
    ]
    if row.strongest is not None:
        best = by_autodiff(row.strongest)
        found.append(Contender("jax.grad, best form", "strongest", best, answer))
    found.append(Contender("torch, eager", "peer", by_torch(row.torch), answer, "torch"))
    return Case(title(row.loss, shape), draw(row, shape), found)


def cases(quick: bool) -> Iterator[Case]:
    """Softmax with several numbers of classes, then the others; a batch of 32 if quick."""
    batch = 32 if quick else BATCH
    for n in CLASSES[:2] if quick else CLASSES:
        yield race(SOFTMAX, (batch, n))
    for row in (SIGMOID, SQUARE):
        yield race(row, (batch, 512))


def softmax(n: int, beside: str) -> Callable[[Found], float | None]:
    """Our speed with n classes."""
    return lambda found: found.speed(title(SOFTMAX.loss, (BATCH, n)), "ours", beside)


def memory(found: Found) -> float | None:
    """Our temporary memory with the most classes, that of one-hot rows being 1."""
    case, key = title(SOFTMAX.loss, (BATCH, CLASSES[-1])), "temp MB"
    return ratio(found.figure(case, "ours", key), found.figure(case, "idiomatic", key))


WORKLOAD = Workload(
    "losses and their derivatives",
    "What the end of the forward sweep costs. It matters where there are many classes: with a "
    "vocabulary for them, the usual cross-entropy keeps three arrays as large as the logits.",
    races(cases),
    (
        Goal(8, "softmax, 1000 classes: beside one-hot", ">= 2.5", softmax(1000, "idiomatic")),
        Goal(8, "softmax, 32768 classes: beside one-hot", ">= 1.9", softmax(32768, "idiomatic")),
        Goal(8, "softmax, 32768 classes: memory, one-hot being 1", "<= 0.001", memory),
    ),
)
