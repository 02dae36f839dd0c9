"""Memory: what need not be kept, and what need never be there at once. One value and gradient.

The head is a linear map from 128 to 16,384 classes with softmax cross-entropy, for 512 rows. The
blocks are 12 times x + 1024-gelu-256 of x behind a layer-norm, on 2,048 rows, with a quadratic
cost. Memory is the table's second column; what it costs in time is beside it.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxnn as nn
from experiments.bench.beside_autodiff import by_logsumexp
from experiments.bench.forms import layer_norm
from experiments.bench.method import Program, races
from experiments.bench.workload import Case, Contender, Found, Goal, Workload, ratio

ROWS, WIDTH, CLASSES, PART = 512, 128, 16384, 128
HEAD, TIED, BLOCKS = "a head of 16,384 classes", "the same, the table of ids tied", "12 blocks"
OURS, BY_GRAD = "jaxnn", "jax.grad"


class Inputs(NamedTuple):
    """Parameters, as our network has them, and a mini-batch."""

    params: Any
    x: Any
    y: Any


def drawn(net: nn.Layer, x: Any, y: Any) -> Inputs:
    """The parameters as the network starts."""
    return Inputs(net.init(jax.random.key(0), jnp.asarray(x)), jnp.asarray(x), jnp.asarray(y))


def backprop(net: nn.Layer, loss: nn.Loss) -> Callable[[Inputs], Program]:
    """Ours, the value and the gradient by the parameters."""
    return lambda inputs: Program(lambda *given: nn.backprop(net, loss, *given), *inputs)


def autodiff(cost: Callable[..., Any]) -> Callable[[Inputs], Program]:
    """`jax.value_and_grad` of `cost(params, x, y)`."""
    return lambda inputs: Program(jax.value_and_grad(cost), *inputs)


def logits(params: Any, x: Any) -> Any:
    """The head."""
    return x @ params.w + params.b


def head(params: Any, x: Any, y: Any) -> Any:
    """The mean cross-entropy of the head, all logits at once."""
    return by_logsumexp(logits(params, x), y)


def head_in_parts(params: Any, x: Any, y: Any) -> Any:
    """The same by parts, whose logits are computed again on the way back."""
    parts = x.reshape(-1, PART, WIDTH), y.reshape(-1, PART)
    cost = jax.checkpoint(lambda part: by_logsumexp(logits(params, part[0]), part[1]))
    return lax.map(cost, parts).mean()


def by_function(inputs: Inputs) -> Program:
    """`jaxnn.linear_cross_entropy`."""

    def both(params: Any, x: Any, y: Any) -> Any:
        value, grads = nn.linear_cross_entropy(x, params.w, y, params.b, rows=PART)
        return value, nn.Affine(grads.w, grads.b)

    return Program(both, *inputs)


def tied(params: Any, ids: Any, y: Any) -> Any:
    """The mean cross-entropy of a table that embeds and puts out."""
    rows = params[0].rows
    return by_logsumexp(rows[ids] @ rows.T + params[1].b, y)


def block(x: Any, params: Any) -> Any:
    """x + 256 of gelu of 1024 of x, normalised."""
    norm, first, _, last = params
    hidden = jax.nn.gelu(layer_norm(norm, x, None) @ first.w + first.b, approximate=False)
    return x + hidden @ last.w + last.b


def cost_of(x: Any, y: Any) -> Any:
    """The quadratic cost."""
    return 0.5 * ((x - y) ** 2).sum(-1).mean()


def unrolled(params: Any, x: Any, y: Any) -> Any:
    """The blocks in a Python loop."""
    for i in range(BLOCK_NET.n):
        x = block(x, jax.tree.map(lambda leaf, i=i: leaf[i], params))
    return cost_of(x, y)


def checkpointed(params: Any, x: Any, y: Any) -> Any:
    """The blocks in a scan, each computed again on the way back."""
    step = jax.checkpoint(lambda x, p: (block(x, p), None))
    return cost_of(lax.scan(step, x, params)[0], y)


HEAD_LAYER = nn.Dense(CLASSES)
PARTS = nn.Chunked(HEAD_LAYER, PART)
TIE = nn.Tie(nn.serial(nn.Embedding(CLASSES, WIDTH), PARTS), ("[0].rows", "[1].w"))
BLOCK = nn.Skip(nn.serial(nn.LayerNorm(), nn.Dense(1024), nn.gelu, nn.Dense(256)))
BLOCK_NET = nn.Repeat(BLOCK, 12)
LEAN = nn.Repeat(nn.Recompute(BLOCK), 12)


def cases(quick: bool) -> Iterator[Case]:
    """The same sizes when it must be quick: memory is what this is about."""
    del quick
    loss, square = nn.softmax_cross_entropy, nn.half_square

    def labels(rng: Any) -> Any:
        return rng.integers(0, CLASSES, ROWS).astype(np.int32)

    def rows(rng: Any, n: int, width: int) -> Any:
        return rng.normal(size=(n, width)).astype(np.float32)

    contenders = (
        Contender(OURS, "ours", backprop(PARTS, loss)),
        Contender("jaxnn.linear_cross_entropy", "ours", by_function),
        Contender(BY_GRAD, "idiomatic", autodiff(head)),
        Contender("jax.grad, checkpointed parts", "strongest", autodiff(head_in_parts)),
    )
    yield Case(HEAD, lambda rng: drawn(PARTS, rows(rng, ROWS, WIDTH), labels(rng)), contenders)
    contenders = (
        Contender(OURS, "ours", backprop(TIE, loss)),
        Contender(BY_GRAD, "idiomatic", autodiff(tied)),
    )
    yield Case(TIED, lambda rng: drawn(TIE, labels(rng), labels(rng)), contenders)
    contenders = (
        Contender(OURS, "ours", backprop(LEAN, square)),
        Contender("jaxnn, nothing computed again", "ours", backprop(BLOCK_NET, square)),
        Contender(BY_GRAD, "idiomatic", autodiff(unrolled)),
        Contender("jax.checkpoint in a scan", "strongest", autodiff(checkpointed)),
    )
    yield Case(
        BLOCKS, lambda rng: drawn(LEAN, rows(rng, 2048, 256), rows(rng, 2048, 256)), contenders
    )


def memory(case: str) -> Callable[[Found], float | None]:
    """Our temporary memory, that of jax.grad being 1."""
    return lambda found: ratio(*(found.figure(case, name, "temp MB") for name in (OURS, BY_GRAD)))


def speed(case: str) -> Callable[[Found], float | None]:
    """Ours beside jax.grad."""
    return lambda found: found.speed(case, OURS, BY_GRAD)


WORKLOAD = Workload(
    "lean",
    "How much memory a step needs where a loss sees parts of the outputs (`Chunked`, "
    "`linear_cross_entropy`) and a layer keeps its input alone (`Recompute`).",
    races(cases),
    (
        Goal(3, "head: memory, jax.grad being 1", "<= 0.26", memory(HEAD)),
        Goal(3, "head: beside jax.grad", ">= 1.8", speed(HEAD)),
        Goal(3, "tied head: memory, jax.grad being 1", "<= 0.26", memory(TIED)),
        Goal(3, "12 blocks: memory, jax.grad being 1", "<= 0.12", memory(BLOCKS)),
        Goal(3, "12 blocks: beside jax.grad", ">= 1.0", speed(BLOCKS)),
    ),
)
