"""A table of a network: layers, output shapes, parameters, and what is kept for backward."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.core.layer import Layer, Read, map_innermost
from jaxnn.core.parameters import count_parameters
from jaxnn.core.types import Key, Params, Tree
from jaxnn.layers.repeat import Repeat


class Row(NamedTuple):
    """One layer. `kept` counts the bytes of those residuals that no earlier layer keeps too."""

    path: str
    layer: str
    output: tuple[int, ...]
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
    for all layers of a `Repeat`.

    x is an array or a `jax.ShapeDtypeStruct`; its first axis is the batch the bytes are counted
    for. Nothing is computed: the network runs on shapes alone. Paths are those of the parameters.
    """
    rows: dict[str, Row] = {}
    seen: list[Any] = []  # residuals counted already; kept alive, so that an id stays unique

    def forward(x: Tree) -> Any:
        key = jax.random.key(0)

        def watch(path: str, layer: Layer) -> Layer:
            return _Watch(layer, _Log(path, rows, seen))

        watched = map_innermost(watch, net, whole=Repeat)
        return watched.forward(net.init(key, x), x, key)

    jax.eval_shape(forward, jax.ShapeDtypeStruct(x.shape, x.dtype))
    found = tuple(rows.values())
    return Summary(found, sum(row.parameters for row in found), sum(row.kept for row in found))


class _Log(NamedTuple):
    path: str
    rows: dict[str, Row]
    seen: list[Any]

    def __hash__(self) -> int:
        return hash(self.path)


class _Watch(Layer):
    """A layer that writes down what passes through it."""

    watched: Layer
    log: _Log

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        y, residuals = self.watched.forward(params, x, key)
        path, rows, seen = self.log
        new = [r for r in jax.tree.leaves(residuals) if not any(r is s for s in seen)]
        seen.extend(new)
        kept = sum(int(np.prod(r.shape)) * r.dtype.itemsize for r in new)
        rows[path] = Row(path, repr(self.watched), y.shape, count_parameters(params), kept)
        return y, residuals

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        return self.watched.backward(params, residuals, dy, read)
