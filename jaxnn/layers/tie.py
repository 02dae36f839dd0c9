"""One parameter in several places of a network."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Stacked, Tied
from jaxnn.core.factors import Factor
from jaxnn.core.layer import Layer, check_layers
from jaxnn.core.places import leaf_paths, value_at, with_value
from jaxnn.core.reader import Found, Reader, as_reader, keep, over_found
from jaxnn.core.types import Aim, Key, Params, Read, Tree


class Tie(Layer):
    """A network in which some parameters are one: that at the first path is used at all of them.

        Tie(net, ("[0].rows", "[4].w"))                    a table, to embed and to put out
        Tie(net, (("[1]", "[3]"), ("[0].w", "[2].w.T")))   two groups; "[1]" is a whole layer

        dw = sum over its uses of the gradient there

    A path is that of a parameter in `net.init(key, x)`, of a record or of several; at all but the
    first of a group, params and readings hold None. ".T" at the end says that the matrix is used
    transposed; between `rows` and `w`, which lie the other way round, it goes without saying. No
    layer knows of it. The uses are one factor, `Tied`, with all cross terms; a linear reading is
    read at each use and added up. Frozen, it stays tied if freezing leaves these parameters alone.

    Shapes, residuals and other errors are those of the network. Raises ValueError for paths that
    name nothing and, at the start, for shapes that do not fit. Source: Press and Wolf 2017.
    """

    layer: Layer
    """Where the parameters are used."""
    groups: tuple[str, ...] | tuple[tuple[str, ...], ...]
    """Paths of the parameters that are one, or a tuple of such tuples."""
    curved = False

    def __post_init__(self) -> None:
        check_layers("Tie", (self.layer,))
        given: Any = self.groups
        several = isinstance(given, tuple) and not any(isinstance(path, str) for path in given)
        groups = given if several else (given,)
        if not groups or not all(map(_is_group, groups)):
            raise ValueError(
                "Tie: expected two or more different paths of parameters in a tuple, such as "
                f"('[0].rows', '[4].w'), or a tuple of such tuples, got {given!r}"
            )
        object.__setattr__(self, "groups", groups)

    def init(self, key: Key, x: Tree) -> Params:
        full = self.layer.init(key, x)
        for use in self._uses(full):
            use.check(full)
        return self._bare(full)

    def forward(self, params: Params, x: Tree, key: Key = None) -> tuple[Tree, Tree]:
        return self.layer.forward(self._full(params), x, key)

    def backward(self, params: Params, residuals: Tree, dy: Tree, read: Read) -> tuple[Tree, Tree]:
        each, join = self._reading(params, read)
        dx, readings = self.layer.backward(self._full(params), residuals, dy, each)
        return dx, join(readings)

    def turn(
        self, params: Params, x: Tree, aim: Aim, read: Read, key: Key = None
    ) -> tuple[Tree, Tree, Tree, Any]:
        (each, join), full = self._reading(params, read), self._full(params)
        values, dx, readings, observed = self.layer.turn(full, x, aim, each, key)
        return values, dx, join(readings), observed

    def begin(self, params: Params, x: Tree) -> Tree:
        return self.layer.begin(self._full(params), x)

    def resume(
        self, params: Params, state: Tree, x: Tree, key: Key = None
    ) -> tuple[Tree, Tree, Tree]:
        return self.layer.resume(self._full(params), state, x, key)

    def push(self, params: Params, residuals: Tree, vparams: Params, vx: Tree) -> tuple[Tree, Tree]:
        return self.layer.push(self._full(params), residuals, self._full(vparams), vx)

    def bend(
        self, params: Params, residuals: Tree, tangents: Tree, dy: Tree, rdy: Tree, read: Read
    ) -> tuple[Tree, Tree, Tree]:
        (each, join), full = self._reading(params, read), self._full(params)
        dx, rdx, readings = self.layer.bend(full, residuals, tangents, dy, rdy, each)
        return dx, rdx, join(readings)

    def observe(self, residuals: Tree) -> Any:
        return self.layer.observe(residuals)

    def freeze(self, params: Params, statistics: Tree) -> tuple[Any, Params]:
        full = self._full(params)
        layer, frozen = self.layer.freeze(full, statistics)
        try:
            places = [path for use in self._uses(params) for path in (use.first, use.path)]
            same = all(value_at(frozen, path) is value_at(full, path) for path in places)
        except ValueError:
            same = False
        return (Tie(layer, self.groups), self._bare(frozen)) if same else (layer, frozen)

    def _uses(self, params: Params) -> "Iterator[_Use]":
        """Every further use of every array."""
        for first, *others in self.groups:
            for rest in leaf_paths(value_at(params, first)):
                yield from (_use(first + rest, path, rest) for path in others)

    def _full(self, params: Params) -> Params:
        """The parameters of the network."""
        for use in self._uses(params):
            params = with_value(params, use.path, use.turned(value_at(params, use.first)))
        return params

    def _bare(self, full: Params) -> Params:
        """Every array once."""
        for use in self._uses(full):
            full = with_value(full, use.path, None)
        return full

    def _reading(self, params: Params, read: Read) -> tuple[Reader, Callable[[Tree], Tree]]:
        """(read, join): what to read of each use, and what makes one reading of all uses."""
        read, uses = as_reader(read), list(self._uses(params))
        if read.linear:
            return read, lambda readings: _joined(uses, readings, _Use.added)
        return keep, lambda readings: over_found(read.whole, _joined(uses, readings, _Use.tied))


class _Use(NamedTuple):
    """The array at `first`, used at `path` too, transposed or not."""

    first: str
    path: str
    transposed: bool

    def turned(self, leaf: Any) -> Any:
        return leaf.swapaxes(-1, -2) if self.transposed else leaf

    def added(self, whole: Tree, here: Tree) -> Tree:
        """Of two readings that are linear."""
        return jax.tree.map(lambda a, b: a + self.turned(b), whole, here)

    def tied(self, whole: Found, here: Found) -> Found:
        """Of two factors."""
        factor = here.value.transposed() if self.transposed else here.value
        return Found(_together(whole.value, factor))

    def check(self, full: Params) -> None:
        """Refuse shapes or dtypes that do not fit."""
        ours, theirs = value_at(full, self.first), value_at(full, self.path)
        if self.transposed and jnp.ndim(ours) < 2:
            raise ValueError(
                f"Tie: expected a matrix at {self.first} to transpose, got {ours.shape}"
            )
        wanted = jax.eval_shape(self.turned, ours)
        if (wanted.shape, wanted.dtype) != (theirs.shape, theirs.dtype):
            hint = "; write .T behind one that is used transposed" * (ours.ndim == 2)
            raise ValueError(
                f"Tie: expected {self.path} to be {wanted.dtype} {wanted.shape} like {self.first}"
                f"{' transposed' * self.transposed}, got {theirs.dtype} {theirs.shape}{hint}"
            )


def _is_group(paths: Any) -> bool:
    texts = isinstance(paths, tuple) and all(isinstance(path, str) for path in paths)
    return texts and len({path.removesuffix(".T") for path in paths}) == len(paths) > 1


def _use(first: str, path: str, rest: str) -> _Use:
    """`rest` leads from a record or layer to the array."""
    place = path.removesuffix(".T") + rest
    names = {first.rsplit(".", 1)[-1], place.rsplit(".", 1)[-1]}
    return _Use(first, place, path.endswith(".T") or names == {"rows", "w"})


def _joined(uses: list[_Use], readings: Tree, join: Callable[[_Use, Any, Any], Any]) -> Tree:
    """The readings with those of all uses at the first place of each array."""
    for use in uses:
        whole = join(use, value_at(readings, use.first), value_at(readings, use.path))
        readings = with_value(with_value(readings, use.first, whole), use.path, None)
    return readings


def _together(factor: Factor, other: Factor) -> Factor:
    """Both as one; of n equal layers, layer by layer."""
    if isinstance(factor, Stacked) and isinstance(other, Stacked):
        return Stacked(_together(factor.layers, other.layers))
    parts = factor.parts if isinstance(factor, Tied) else (factor,)
    return Tied((*parts, other))
