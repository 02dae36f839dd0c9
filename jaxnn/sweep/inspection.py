"""A table of a network: layers, output shapes, parameters, and what is kept for backward."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.layer import Layer, check_network, shape_like
from jaxnn.core.notes import Seen, seen
from jaxnn.core.parameters import count_parameters
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.watch import watched
from jaxnn.layers.product import Product
from jaxnn.layers.recompute import Recompute
from jaxnn.layers.repeat import Repeat

WHOLE = (Repeat, Recompute, Product)


class Row(NamedTuple):
    """One layer. `output` is the shape of y, or the shapes of its entries; `kept` counts the bytes
    of those residuals that no earlier layer keeps too."""

    path: str
    layer: str
    output: tuple[Any, ...]
    parameters: int
    kept: int


class Summary(NamedTuple):
    """The rows of `summary`, with the totals; `print` shows the table."""

    rows: tuple[Row, ...]
    parameters: int
    kept: int

    def __str__(self) -> str:
        lines = [("", "layer", "output", "parameters", "kept bytes")]
        for row in self.rows:
            numbers = f"{row.parameters:,}", f"{row.kept:,}"
            lines.append((row.path, row.layer, str(row.output), *numbers))
        lines.append(("", "total", "", f"{self.parameters:,}", f"{self.kept:,}"))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            f"{p:<{widths[0]}}  {n:<{widths[1]}}  {o:<{widths[2]}}  "
            f"{c:>{widths[3]}}  {k:>{widths[4]}}"
            for p, n, o, c, k in lines
        )


def summary(net: Layer, x: Tree) -> Summary:
    """One row for each innermost layer, in the order of the forward sweep, for inputs like x; one
    for all layers of a `Repeat`, one for a `Recompute`, which keeps nothing of those inside, and
    one for a `Product`, which keeps what it multiplies as well.

    x is an array or a `jax.ShapeDtypeStruct`, or a tuple of them; its first axis is the batch the
    bytes are counted for. Nothing is computed: the network runs on shapes alone. Paths are those of
    the parameters. A parameter that is used twice stands in two rows, and counts once in the total.
    """
    check_network(net)
    rows: list[Row] = []
    parameters = 0

    def forward(x: Tree, key: Key) -> None:
        nonlocal parameters
        params, net_watched = net.init(key, x), watched(net, _note, whole=WHOLE)
        parameters = count_parameters(params)
        _, residuals = net_watched.forward(params, x, key)
        rows.extend(_rows(seen(net_watched.observe(residuals))))

    jax.eval_shape(forward, shape_like(x), jax.random.key(0))
    return Summary(tuple(rows), parameters, sum(row.kept for row in rows))


def _note(params: Params, x: Tree, key: Key, y: Tree, residuals: Tree) -> Tree:
    return params, y, residuals


def _rows(notes: list[Seen]) -> list[Row]:
    """A row for each note; residuals kept twice are the very same arrays, and count once."""
    counted, rows = [], []
    for note in notes:
        params, y, residuals = note.value
        start = len(counted)
        for leaf in jax.tree.leaves(residuals):
            if not any(leaf is other for other in counted):
                counted.append(leaf)
        new = counted[start:]
        kept = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in new)
        numbers = jax.tree.map(jnp.shape, y), count_parameters(params), kept
        rows.append(Row(note.path, repr(note.layer), *numbers))
    return rows
