"""Walks over the layers of a network: which there are, at which path, and others in their place."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from jaxnn.core.layer import Layer


def inner_layers(layer: Layer) -> dict[str, Layer | tuple[Layer, ...]]:
    """The fields of a combinator that hold layers."""
    found = {}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        several = isinstance(value, tuple) and value and all(isinstance(v, Layer) for v in value)
        if several or isinstance(value, Layer):
            found[field.name] = value
    return found


def every_layer(net: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """The network and every layer inside, with the path of its parameters: a tuple of layers adds
    an index to the path, a single inner layer shares the parameters of the one around it."""
    yield path, net
    for value in inner_layers(net).values():
        if isinstance(value, Layer):
            yield from every_layer(value, path)
        else:
            for i, layer in enumerate(value):
                yield from every_layer(layer, f"{path}[{i}]")


def innermost(net: Layer) -> Iterator[tuple[str, Layer]]:
    """Every layer that holds no others, with the path of its parameters."""
    return ((path, layer) for path, layer in every_layer(net) if not inner_layers(layer))


def paths_of(net: Layer, kinds: type | tuple[type, ...]) -> list[str]:
    """The paths of the innermost layers of some kinds."""
    return [path for path, layer in innermost(net) if isinstance(layer, kinds)]


def map_inner(change: Callable[[str, Layer], Layer], net: Layer, path: str = "") -> Layer:
    """The layer with `change(path, inner)` in the place of every layer right inside it."""
    changes: dict[str, Any] = {}
    for name, value in inner_layers(net).items():
        if isinstance(value, Layer):
            changes[name] = change(path, value)
        else:
            changes[name] = tuple(change(f"{path}[{i}]", layer) for i, layer in enumerate(value))
    return net.replace(**changes) if changes else net


def map_innermost(
    change: Callable[[str, Layer], Layer], net: Layer, path: str = "", *, whole: Any = ()
) -> Layer:
    """The same network with every innermost layer replaced by `change(path, layer)`; one of a kind
    in `whole` counts as innermost, whatever it holds."""

    def inside(path: str, layer: Layer) -> Layer:
        return map_innermost(change, layer, path, whole=whole)

    if not inner_layers(net) or isinstance(net, whole):
        return change(path, net)
    return map_inner(inside, net, path)


def mixing_layers(net: Layer) -> list[str]:
    """Path and name of each layer that mixes the examples of a batch."""
    return [f"{path} {layer!r}".strip() for path, layer in innermost(net) if layer.mixes_examples]


def curved_layers(net: Layer) -> list[str]:
    """Path and name of each layer that is not piecewise linear."""
    return [f"{path} {layer!r}".strip() for path, layer in every_layer(net) if layer.curved]
