"""Every layer alone, forward and backward: by hand, by autodiff in two forms, and by torch.

Autodiff gets the layer as a JAX user writes it, and once more in the form that differentiates best
among those we know: one that keeps less, or shares more between the two passes.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

import jaxnn as nn
from experiments.bench import forms, passes, sparse_rows
from experiments.bench.method import races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload, ratio

WIDE, SQUARE, ROWS, IMAGES = (512, 2048), (1024, 512), (4096, 512), (32, 28, 28, 32)


class Row(NamedTuple):
    """A layer, the shape of x, the two forms for autodiff, `f(params, x, key)`, the second None
    where nothing better is known, torch's, the number of different ids in x, and the `answer`."""

    layer: nn.Layer
    shape: tuple[int, ...]
    idiomatic: Callable[..., Any]
    strongest: Callable[..., Any] | None
    torch: Callable[..., Any]
    ids: int = 0
    answer: Callable[[Any, Any], Any] = passes.arrays


def plain(function: Callable[[Any], Any] | None) -> Any:
    """A function of x alone; None stays None."""
    return function and (lambda params, x, key: function(x))


def functional(name: str, **options: Any) -> Callable[..., Any]:
    """The function of that name in `torch.nn.functional`, of x alone."""
    return lambda torch, params, x: getattr(torch.nn.functional, name)(x, **options)


def activations() -> Iterator[Row]:
    """One by one. The derivative of several comes out of y already, in JAX too."""
    for layer, idiomatic, strongest, name, options in (
        (nn.sigmoid, lambda x: 1 / (1 + jnp.exp(-x)), jax.nn.sigmoid, "sigmoid", {}),
        (nn.tanh, jnp.tanh, None, "tanh", {}),
        (nn.relu, lambda x: jnp.maximum(x, 0), jax.nn.relu, "relu", {}),
        (nn.leaky_relu, jax.nn.leaky_relu, lambda x: jnp.maximum(x, 0.01 * x), "leaky_relu", {}),
        (nn.softplus, jax.nn.softplus, forms.stable_softplus, "softplus", {}),
        (nn.elu, jax.nn.elu, None, "elu", {}),
        (nn.gelu, lambda x: jax.nn.gelu(x, approximate=False), forms.exact_gelu, "gelu", {}),
        (nn.silu, jax.nn.silu, None, "silu", {}),
        (nn.softmax, jax.nn.softmax, None, "softmax", {"dim": -1}),
    ):
        shape = (2048, 1024) if layer is nn.softmax else WIDE
        yield Row(layer, shape, plain(idiomatic), plain(strongest), functional(name, **options))


def others() -> Iterator[Row]:
    """With parameters."""
    yield Row(
        nn.Dense(512),
        (256, 512),
        lambda p, x, key: x @ p.w + p.b,
        None,
        lambda torch, p, x: torch.addmm(p[1], x, p[0]),
    )
    yield Row(
        nn.BatchNorm(),
        SQUARE,
        forms.batch_norm,
        forms.folded_batch_norm,
        lambda torch, p, x: torch.nn.functional.batch_norm(x, None, None, *p, True, 0.0, forms.EPS),
    )
    yield Row(
        nn.layers.Rescale(),
        SQUARE,
        lambda p, x, key: p.scale * x + p.shift,
        None,
        lambda torch, p, x: p[0] * x + p[1],
    )


def by_position() -> Iterator[Row]:
    """Normalisations of each example by itself."""
    yield Row(
        nn.LayerNorm(),
        ROWS,
        forms.layer_norm,
        forms.layer_norm_by_blocks,
        lambda torch, p, x: torch.nn.functional.layer_norm(x, x.shape[-1:], *p, forms.LAYER_EPS),
    )
    yield Row(
        nn.RMSNorm(),
        ROWS,
        forms.rms_norm,
        None,
        lambda torch, p, x: torch.nn.functional.rms_norm(x, x.shape[-1:], p[0], forms.LAYER_EPS),
    )
    yield Row(
        nn.GroupNorm(8),
        IMAGES,
        forms.group_norm,
        None,
        lambda torch, p, x: torch.nn.functional.group_norm(
            x.movedim(-1, 1), 8, *p, forms.LAYER_EPS
        ).movedim(1, -1),
    )


def random() -> Iterator[Row]:
    """Those with a mask."""
    for rate in (0.5, 0.4):
        yield Row(
            nn.Dropout(rate),
            (256, 2048),
            forms.dropout(rate),
            forms.dropout_by_bytes(rate),
            functional("dropout", p=rate),
            answer=passes.masked(rate),
        )
    yield Row(
        nn.DropConnect(512, drop_rate=0.5),
        (256, 512),
        forms.dropconnect(0.5),
        None,
        lambda torch, p, x: x @ torch.nn.functional.dropout(p[0], 0.5) + p[1],
        answer=passes.masked_weight(0.5),
    )


def lookups() -> Iterator[Row]:
    """The layers that read ids; here the gradient of the table is dense."""
    yield Row(
        nn.Embedding(1000, 256),
        (4096,),
        lambda p, x, key: p.rows[x],
        lambda p, x, key: p.rows.at[x].get(mode="promise_in_bounds"),
        lambda torch, p, x: torch.nn.functional.embedding(x, p[0]),
        ids=1000,
    )
    yield Row(
        nn.OneHot(1000),
        (4096,),
        lambda p, x, key: jax.nn.one_hot(x, 1000),
        lambda p, x, key: (x[:, None] == jnp.arange(1000, dtype=x.dtype)).astype(jnp.float32),
        lambda torch, p, x: torch.nn.functional.one_hot(x.long(), 1000).float(),
        ids=1000,
    )


def combined() -> Iterator[Row]:
    """Layers around layers."""
    yield Row(
        nn.Skip(nn.tanh),
        WIDE,
        lambda p, x, key: x + jnp.tanh(x),
        None,
        lambda torch, p, x: x + torch.tanh(x),
    )
    yield Row(
        nn.Parallel((nn.relu, nn.tanh), "concat"),
        WIDE,
        lambda p, x, key: jnp.concatenate([jax.nn.relu(x), jnp.tanh(x)], -1),
        None,
        lambda torch, p, x: torch.cat([torch.relu(x), torch.tanh(x)], -1),
    )


def title(row: Row) -> str:
    """As in BatchNorm(), 1024 x 512."""
    return f"{row.layer!r}, {' x '.join(map(str, row.shape))}"


def race(row: Row) -> Case:
    """A row as a case."""
    found = [
        Contender("jaxnn", "ours", passes.by_hand(row.layer), row.answer),
        Contender("jax.vjp", "idiomatic", passes.by_autodiff(row.idiomatic), row.answer),
    ]
    if row.strongest is not None:
        best = passes.by_autodiff(row.strongest)
        found.append(Contender("jax.vjp, best form", "strongest", best, row.answer))
    found.append(Contender("torch, eager", "peer", passes.by_torch(row.torch), row.answer, "torch"))
    # fractions that random masks keep differ, here by 0.01 at most
    tolerance = 1e-3 if row.answer is passes.arrays else 0.05
    return Case(title(row), passes.draw(row.layer, row.shape, row.ids), found, tolerance)


def cases(quick: bool) -> Iterator[Case]:
    """All layers; with a batch of 64 if quick."""
    for rows in (others(), by_position(), random(), activations(), lookups(), combined()):
        for row in rows:
            yield race(row._replace(shape=(64, *row.shape[1:])) if quick else row)
    yield sparse_rows.case(quick)


def speed(layer: nn.Layer, shape: str) -> Callable[[Found], float | None]:
    """Ours beside the idiomatic `jax.vjp`."""
    return lambda found: found.speed(f"{layer!r}, {shape}", "ours", "idiomatic")


def share_of_memory(found: Found) -> float | None:
    """Our temporary memory of batch-norm, that of `jax.vjp` being 1."""
    case, key = f"{nn.BatchNorm()!r}, 1024 x 512", "temp MB"
    return ratio(found.figure(case, "ours", key), found.figure(case, "idiomatic", key))


WORKLOAD = Workload(
    "every layer alone",
    "What a layer costs beside the matrix products. By hand it keeps less and passes over its "
    "arrays less often. There is little to win where JAX has a rule by hand of its own, as for "
    "sigmoid, and where moving the arrays is all of the work: the slower the memory of a machine "
    "is beside its arithmetic, the nearer all ratios come to 1.",
    races(cases),
    (
        Goal(7, "batch-norm: beside jax.vjp", ">= 3", speed(nn.BatchNorm(), "1024 x 512")),
        Goal(7, "batch-norm: temporary memory, jax.vjp being 1", "<= 0.02", share_of_memory),
        Goal(7, "layer-norm: beside jax.vjp", ">= 2.2", speed(nn.LayerNorm(), "4096 x 512")),
        Goal(9, "dropout at 0.4: beside bernoulli", ">= 2.5", speed(nn.Dropout(0.4), "256 x 2048")),
        Goal(9, "dropout at 0.5: beside bernoulli", ">= 8", speed(nn.Dropout(0.5), "256 x 2048")),
        *sparse_rows.GOALS,
    ),
)
