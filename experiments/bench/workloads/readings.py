"""What is read from one backward sweep: per-example norms, clipping, moments, Kronecker factors.

The network 784-1024-1024-10 with relu and softmax cross-entropy, on noise. Beside the plain
gradient a reading costs what more there is to compute; `readings_by_autodiff` has the others.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench import readings_by_autodiff as autodiff
from experiments.bench.beside_autodiff import by_logsumexp, by_one_hot
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Found, Goal, Role, Workload, ratio

WIDTHS = 784, 1024, 1024, 10
PLAIN, CLIPPED = "gradients", "clipped gradients"
AND_NORMS, AND_MOMENTS = "gradients, squared norms", "gradients, second moments"
AND_FACTORS = "gradients, Kronecker factors"


def draw(batch: int) -> Callable[[Any], Any]:
    """(params, x, y): weights after He, normal inputs, labels that mean nothing."""

    def drawn(rng: Any) -> Any:
        records: list[Any] = []
        for n_in, n_out in itertools.pairwise(WIDTHS):
            w = rng.normal(size=(n_in, n_out)) * np.sqrt(2 / n_in)
            records += [nn.Affine(w.astype(np.float32), np.zeros(n_out, np.float32)), ()]
        x = rng.normal(size=(batch, WIDTHS[0])).astype(np.float32)
        y = rng.integers(0, WIDTHS[-1], batch).astype(np.int32)
        return jax.tree.map(jnp.asarray, (tuple(records[:-1]), x, y))

    return drawn


def program(function: Callable[..., Any]) -> Callable[[Any], Program]:
    """The `make` of a contender that is a function of params, x, y."""
    return lambda inputs: Program(function, *inputs)


def by_hand(*readings: Any) -> Callable[[Any], Program]:
    """`jaxnn.backprop` with one reading, or several."""
    read: Any = readings[0] if len(readings) == 1 else readings
    loss = nn.softmax_cross_entropy
    return program(lambda p, x, y: nn.backprop(autodiff.NET, loss, p, x, y, read=read)[1])


def leaves(result: Any, inputs: Any) -> Any:
    """The arrays, without the records around them."""
    del inputs
    return jax.tree.leaves(result)


def total_norms(result: Any, inputs: Any) -> Any:
    """The same, where squared norms stand beside every parameter."""
    gradient, squared = result
    return leaves((gradient, nn.total(squared)), inputs)


def first(result: Any, inputs: Any) -> Any:
    """The gradients of several readings."""
    return leaves(result[0], inputs)


def beside_the_gradient(batch: int) -> Case:
    """Readings beside plain gradients, which alone are compared."""
    by_grad: tuple[tuple[Role, str, Any], ...] = (
        ("idiomatic", "jax.grad, one-hot", by_one_hot),
        ("strongest", "jax.grad, logsumexp", by_logsumexp),
    )
    more = {
        AND_NORMS: nn.squared_norms,
        AND_MOMENTS: nn.readings.second_moment,
        "gradients, variance": nn.readings.variance,
        "gradients, noise scale": nn.readings.noise_scale,
        AND_FACTORS: nn.curvature.kronecker,
    }
    found = (
        Contender(PLAIN, "ours", by_hand(nn.gradient), leaves),
        *(
            Contender(name, role, program(jax.grad(autodiff.mean_loss(loss))), leaves)
            for role, name, loss in by_grad
        ),
        Contender(CLIPPED, "ours", by_hand(nn.clipped(autodiff.BOUND)), None),
        *(Contender(n, "ours", by_hand(nn.gradient, read), first) for n, read in more.items()),
    )
    return Case(f"beside plain gradients, batch {batch}", draw(batch), found)


def beside_autodiff(batch: int) -> Iterator[Case]:
    """Ours and autodiff for the same answer."""
    hand, a = by_hand, autodiff
    norms, moments = (
        hand(nn.gradient, nn.squared_norms),
        hand(nn.gradient, nn.readings.second_moment),
    )
    clipped, factors = hand(nn.clipped(a.BOUND)), hand(nn.gradient, nn.curvature.kronecker)
    for name, ours, answer, by_vmap, by_errors in (
        (AND_NORMS, norms, total_norms, a.norms_by_vmap, a.norms_by_errors),
        (CLIPPED, clipped, leaves, a.clipped_by_vmap, a.clipped_by_errors),
        (AND_MOMENTS, moments, leaves, a.moments_by_vmap, a.moments_by_errors),
        (AND_FACTORS, factors, leaves, None, a.factors_by_errors),
    ):
        found = [Contender("jaxnn", "ours", ours, answer)]
        if by_vmap is not None:
            found.append(Contender("vmap(grad)", "idiomatic", program(by_vmap), leaves))
        found.append(Contender("grad by zeros", "strongest", program(by_errors), leaves))
        yield Case(f"{name}, batch {batch}", draw(batch), found)


def cases(quick: bool) -> Iterator[Case]:
    """Small batches if quick."""
    yield beside_the_gradient(8 if quick else 256)
    yield from beside_autodiff(4 if quick else 64)


def extra(name: str) -> Callable[[Found], float | None]:
    """The time of a reading, relative to plain gradients."""
    case = "beside plain gradients, batch 256"
    return lambda found: found.speed(case, PLAIN, beside=name)


def leaner(name: str) -> Callable[[Found], float | None]:
    """How many times our temporary memory `vmap(grad)` takes."""
    case, key = f"{name}, batch 64", "temp MB"
    return lambda found: ratio(
        found.figure(case, "idiomatic", key), found.figure(case, "ours", key)
    )


def faster(name: str) -> Callable[[Found], float | None]:
    """How many times our time `vmap(grad)` takes."""
    return lambda found: found.speed(f"{name}, batch 64", "ours", "idiomatic")


WORKLOAD = Workload(
    "what is read from one backward sweep",
    "What per-example quantities cost. Squared norms and clipping come almost with the gradient; "
    "the others cost what their matrix products do. Beside vmap(grad) all are far cheaper in time "
    "and memory; who derives the errors of the layers by jax.grad and does the algebra himself "
    "gets about the same.",
    races(cases),
    (
        Goal(12, "squared norms: time of plain gradients", "<= 1.05", extra(AND_NORMS)),
        Goal(12, "clipping: time of plain gradients", "<= 1.15", extra(CLIPPED)),
        Goal(12, "squared norms: times as fast as vmap(grad)", ">= 30", faster(AND_NORMS)),
        Goal(12, "clipping: times as fast as vmap(grad)", ">= 30", faster(CLIPPED)),
        Goal(12, "squared norms: times as lean as vmap(grad)", ">= 300", leaner(AND_NORMS)),
        Goal(12, "clipping: times as lean as vmap(grad)", ">= 300", leaner(CLIPPED)),
    ),
)
