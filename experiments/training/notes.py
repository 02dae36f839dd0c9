"""What is noted of layers that are watched, and what they are called in metrics."""

import itertools
from collections.abc import Iterator
from typing import Any

from jaxnn.core.layer import Layer
from jaxnn.core.notes import Seen
from jaxnn.core.walk import every_layer
from jaxnn.layers.repeat import Repeat


def outputs_of(params: Any, x: Any, key: Any, y: Any, residuals: Any) -> Any:
    """A note of what a layer puts out."""
    del params, x, key, residuals
    return y


def short(path: str) -> str:
    """A path as it stands in the names of metrics: `2/0` for `[2][0]`."""
    return path.strip("[]").replace("][", "/")


def name_of(note: Seen, place: tuple[int, ...]) -> str:
    """A layer by its path; one of those in a `Repeat` with its number there, as in `2/0#5`."""
    return "#".join([short(note.path), *map(str, place)])


def in_order(net: Layer, notes: list[Seen]) -> list[tuple[Seen, tuple[int, ...]]]:
    """(note, place) of all layers as the network goes through them: a `Repeat` goes through all
    that is in its first layer, then through its second."""
    around: dict[str, list[str]] = {}  # by path, the paths of the Repeats around, outer ones first
    for start, layer in every_layer(net):
        if isinstance(layer, Repeat):
            for path in {path for path, _ in every_layer(layer, start)}:
                around.setdefault(path, []).append(start)

    def at_depth(note: Seen, depth: int) -> str | None:
        starts = around.get(note.path, [])
        return starts[depth] if depth < len(starts) else None

    def through(notes: list[Seen], place: tuple[int, ...]) -> Iterator[tuple[Seen, Any]]:
        depth = len(place)
        for start, run in itertools.groupby(notes, lambda note: at_depth(note, depth)):
            inside = list(run)
            if start is None:
                yield from ((note, place) for note in inside)
                continue
            for i in range(inside[0].stacked[depth]):
                yield from through(inside, (*place, i))

    return list(through(notes, ()))
