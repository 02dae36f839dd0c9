"""What a network keeps for its way back, and what `Recompute` and `Chunked` would save.

    whole = residuals + the most that one layer needs while the sweep goes back through it

Nothing is computed: the network runs on shapes alone. Residuals are exact; what a compiler makes of
the rest is its own, and `whole` comes within a quarter of what XLA reserves on a CPU.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import jax

from jaxnn.core.layer import Layer, check_network, output_like, shape_like
from jaxnn.core.types import Key, Params, Tree
from jaxnn.core.walk import every_layer, inner_layers
from jaxnn.layers.chunked import Chunked
from jaxnn.layers.combinators import Serial
from jaxnn.layers.recompute import Recompute
from jaxnn.layers.repeat import Repeat
from jaxnn.sweep.inspection import Row, summary
from jaxnn.sweep.turning import turns

_PART = 128  # positions at a time, of a `Chunked` that is proposed


class Choice(NamedTuple):
    """What would be kept with this layer in the place of that at `path`, and needed in all."""

    path: str
    layer: str
    kept: int
    whole: int


class MemoryReport(NamedTuple):
    """`rows` as of `summary`; bytes `kept` of residuals, arguments among them, and needed besides
    arguments and results, `whole`; the `choices`, the leanest first. `print` shows it."""

    rows: tuple[Row, ...]
    kept: int
    whole: int
    choices: tuple[Choice, ...]

    def __str__(self) -> str:
        lines = [("", "layer", "kept MB", "whole MB")]
        lines += [(row.path, row.layer, _mb(row.kept), "") for row in self.rows]
        lines.append(("", "as it is", _mb(self.kept), _mb(self.whole)))
        lines += [(one.path, one.layer, _mb(one.kept), _mb(one.whole)) for one in self.choices]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            f"{p:<{widths[0]}}  {n:<{widths[1]}}  {k:>{widths[2]}}  {w:>{widths[3]}}".rstrip()
            for p, n, k, w in lines
        )


def memory_report(net: Layer, x: Tree) -> MemoryReport:
    """What a sweep over inputs like x keeps, layer by layer, and what would save some of it:
    `Recompute` around what stands in series, or around what a `Repeat` repeats, and `Chunked`
    around the last layer.

    x is an array or a `jax.ShapeDtypeStruct`, or a tuple of them, of a whole mini-batch. The
    choices are those that need less in all. Bytes are of one `backprop` with its gradient.
    """
    check_network(net)
    x = shape_like(x)
    kept, whole = _needs(net, x)
    choices = [Choice(path, repr(new), *_needs(changed, x)) for path, new, changed in _changes(net)]
    better = sorted((one for one in choices if one.whole < whole), key=lambda one: one.whole)
    return MemoryReport(summary(net, x).rows, kept, whole, tuple(better))


def _needs(net: Layer, x: Tree) -> tuple[int, int]:
    """Bytes of residuals, and of all that is needed besides arguments and results."""
    params = jax.eval_shape(net.init, jax.random.key(0), x)
    kept, ours = _residuals(net, params, x)
    y = output_like(net, params, x, jax.random.key(0))
    at_the_loss = 0 if turns(net) else 2 * _size(y)  # the outputs and their errors
    return kept, ours + max(_work(net, params, x), at_the_loss)


def _residuals(net: Layer, params: Params, x: Tree) -> tuple[int, int]:
    """Bytes of distinct residuals, and without those that are parameters or inputs."""
    found: list[int] = []

    def forward(params: Params, x: Tree, key: Key) -> None:
        leaves = jax.tree.leaves(net.forward(params, x, key)[1])
        distinct = {id(leaf): leaf for leaf in leaves}
        given = {id(leaf) for leaf in jax.tree.leaves((params, x))}
        ours = [leaf for place, leaf in distinct.items() if place not in given]
        found.extend((_size(list(distinct.values())), _size(ours)))

    jax.eval_shape(forward, params, x, jax.random.key(0))
    return found[0], found[1]


def _work(net: Layer, params: Params, x: Tree) -> int:
    """The most that is there at once while the sweep goes back through a layer, residuals apart:
    the errors on both sides of one inside."""
    key = jax.random.key(0)
    if isinstance(net, Serial):
        needed = []
        for layer, p in zip(net.layers, params, strict=True):
            needed.append(_work(layer, p, x))
            x = output_like(layer, p, x, key)
        return max(needed)
    if isinstance(net, Repeat):
        one = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape[1:], p.dtype), params)
        return _work(net.layer, one, x)
    if isinstance(net, Recompute):
        return _residuals(net.layer, params, x)[1] + _work(net.layer, params, x)
    branch = inner_layers(net).get("branch")
    if isinstance(branch, Layer):  # x waits beside it
        return _size(x) + _work(branch, params, x)
    y = output_like(net, params, x, key)
    if isinstance(net, Chunked):
        return _size(x) + min(_size(y), _size(y) * net.n // math.prod(y.shape[:-1])) * 2
    return _size((x, y))


def _changes(net: Layer, path: str = "", last: bool = True) -> Iterator[tuple[str, Layer, Layer]]:
    """(path, what stands there instead, the network with it)."""
    if isinstance(net, Serial):
        for i, layer in enumerate(net.layers):
            at_end = last and i == len(net.layers) - 1
            for place, new, changed in _changes(layer, f"{path}[{i}]", at_end):
                yield place, new, Serial((*net.layers[:i], changed, *net.layers[i + 1 :]))
        return
    again = net.replace(layer=Recompute(net.layer)) if isinstance(net, Repeat) else Recompute(net)
    yield path, again, again
    if last and not any(one.mixes_positions or one.mixes_examples for _, one in every_layer(net)):
        yield path, Chunked(net, _PART), Chunked(net, _PART)


def _size(tree: Tree) -> int:
    """Bytes of all arrays."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f}"
