"""`bench support`: what can be asked of which layer, tried out on every layer of the library.

Each quantity is asked of each layer, on shapes alone. What answers is exact, or sampled where its
name says so; what refuses says why. Layers of which all answers are alike share a line.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import jaxnn as nn
from experiments.bench.gate_programs import LAYERS, LEAN, ON_IDS, ON_SEVERAL
from experiments.common.parser import Parser
from jaxnn.core.layer import output_like
from jaxnn.core.walk import every_layer

PER_EXAMPLE = (
    nn.per_example,
    nn.squared_norms,
    nn.readings.second_moment,
    nn.readings.variance,
    nn.readings.noise_scale,
    nn.readings.gram,
)


def by_reading(read: Any, *given: Any) -> Any:
    """A sweep with that reading."""
    return nn.backprop(*given, read=read)


def by_product(product: Callable[..., Any], net: Any, loss: Any, params: Any, *given: Any) -> Any:
    """A product with the curvature, with the parameters for v."""
    x, y, key = given
    return product(net, loss, params, x, y, params, key)


QUANTITIES: dict[str, Callable[..., Any]] = {
    "gradient": partial(by_reading, nn.gradient),
    "per example": partial(by_reading, PER_EXAMPLE),
    "clipped": partial(by_reading, nn.clipped(1.0)),
    "kronecker": partial(by_reading, nn.curvature.kronecker),
    "hvp": partial(by_product, nn.curvature.hvp),
    "gnvp": partial(by_product, nn.curvature.gnvp),
    "diag G": nn.curvature.ggn_diagonal,
    "diag H": nn.curvature.hessian_diagonal,
}


def answer(quantity: Callable[..., Any], net: nn.Layer, x: Any) -> str:
    """ "exact", or why it is refused."""
    key = jax.random.key(0)
    params = jax.eval_shape(net.init, key, x)
    y = output_like(net, params, x, key)
    try:
        jax.eval_shape(partial(quantity, net, nn.half_square), params, x, y, key)
    except (TypeError, ValueError) as error:
        return _reason(str(error))
    return "exact"


def _reason(text: str) -> str:
    """What mathematics is in the way, in a few words."""
    for sign, reason in REASONS.items():
        if sign in text:
            return reason
    return text


REASONS = {
    "mix examples": "no: examples mix",
    "keeps examples apart": "no: examples mix",
    "piecewise linear": "no: curved",
    "got none": "no parameters",
    "WithBackward.bend": "no: its way back is no derivative",
}


def layers() -> Iterator[tuple[str, nn.Layer, Any]]:
    """The layers and combinators of the gate that bring a new kind, its name, and inputs."""
    known: set[str] = set()
    x = jax.ShapeDtypeStruct((4, 96), jnp.float32)
    rows = [(make(), jnp.float32 if len(s) > 1 else jnp.int32, s) for s, make in LAYERS]
    rows += [(make(), jnp.float32 if len(s) > 1 else jnp.int32, s) for s, make in LEAN.values()]
    rows += [(make(), jnp.int32, (16, 24)) for make in ON_IDS]
    given = [(net, jax.ShapeDtypeStruct((4, *shape[1:]), kind)) for net, kind, shape in rows]
    given += [(make(), (x, x)) for make in ON_SEVERAL]
    for net, x in given:
        kinds = [type(one).__name__ for _, one in every_layer(net)]
        new = [f"`{kind}`" for kind in dict.fromkeys(kinds) if kind not in known]
        known.update(kinds)
        if new:
            yield ", ".join(new), net, x


def table() -> list[tuple[str, ...]]:
    """The lines: the names of layers, and the answers of each."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for name, net, x in layers():
        found = tuple(answer(quantity, net, x) for quantity in QUANTITIES.values())
        lines.setdefault(found, []).append(name)
    return [(", ".join(names), *found) for found, names in lines.items()]


def main(words: list[str]) -> int:
    """Print the table, as it stands in a README."""
    Parser("bench support", "", "what can be asked of which layer").parse_args(words)
    print(text())
    return 0


def text() -> str:
    """The table in Markdown."""
    lines = [("layer", *QUANTITIES), ("---",) * (1 + len(QUANTITIES)), *table()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
