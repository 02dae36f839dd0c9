"""Networks whose layers hand out what they put out.

An output travels among the residuals, under the path of its layer, so that a probed network is an
ordinary one: it can be jitted, go backward, and stand inside any combinator.
"""

from collections.abc import Collection
from typing import Any

import jax

from jaxnn.core.layer import Layer, Read, innermost, map_innermost
from jaxnn.core.values import Pytree, static


class Seen(Pytree):
    """Something about the layer at `path`, such as its output."""

    path: str = static()
    value: Any


class Probe(Layer):
    """A layer whose output is kept among its residuals."""

    layer: Layer
    path: str

    def init(self, key: Any, x: Any) -> Any:
        return self.layer.init(key, x)

    def forward(self, params: Any, x: Any, key: Any = None) -> tuple[Any, Any]:
        y, residuals = self.layer.forward(params, x, key)
        return y, (residuals, Seen(self.path, y))

    def backward(self, params: Any, residuals: Any, dy: Any, read: Read) -> tuple[Any, Any]:
        return self.layer.backward(params, residuals[0], dy, read)

    def observe(self, residuals: Any) -> Any:
        return self.layer.observe(residuals[0])


def probed(net: Layer, paths: Collection[str]) -> Layer:
    """The same network with probes at the innermost layers of these paths."""

    def change(path: str, layer: Layer) -> Layer:
        return Probe(layer, path) if path in paths else layer

    return map_innermost(change, net)


def seen(residuals: Any) -> list[Seen]:
    """What the probes kept, layer by layer."""

    def is_seen(node: Any) -> bool:
        return isinstance(node, Seen)

    return [leaf for leaf in jax.tree.leaves(residuals, is_leaf=is_seen) if is_seen(leaf)]


def paths_of(net: Layer, kinds: type | tuple[type, ...]) -> list[str]:
    """The paths of the innermost layers of some kinds."""
    return [path for path, layer in innermost(net) if isinstance(layer, kinds)]


def short(path: str) -> str:
    """A path as it stands in the names of metrics: `2/0` for `[2][0]`."""
    return path.strip("[]").replace("][", "/")
