"""Regions from threshold units: one convex, a union, and one for each of three classes.

A half-plane is a unit. The AND of the half-planes at its sides is a polygon, the OR of polygons
any region with straight sides, and an OR for each class makes a classifier of three layers.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import COLOURS, draw_regions, grid, panels, save
from jaxnn.perceptron import convex_region, half_planes, regions_of_classes, union_of_regions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SQUARE = (-3.0, 3.0)


class Polygon(NamedTuple):
    """A convex polygon by its corners (m, 2), in counter-clockwise order."""

    corners: np.ndarray

    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """normals (m, 2) that point inwards and offsets (m,) of the lines through the sides."""
        along = np.roll(self.corners, -1, axis=0) - self.corners
        normals = np.stack([-along[:, 1], along[:, 0]], axis=1)
        return normals, -(normals * self.corners).sum(1)

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Whether each point (n, 2) is inside, without a network: left of every side; (n,)."""
        normals, offsets = self.sides()
        return np.all(x @ normals.T + offsets >= 0, axis=1)


def regular(corners: int, centre: tuple[float, float], radius: float) -> Polygon:
    """A regular polygon with one corner straight up from its centre."""
    angles = np.pi / 2 + 2 * np.pi * np.arange(corners) / corners
    return Polygon(np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))


class Example(NamedTuple):
    """A network and the polygons of each class that it should tell apart."""

    title: str
    names: tuple[str, ...]
    groups: tuple[tuple[Polygon, ...], ...]
    net: nn.Layer
    params: Any

    def classify(self, x: np.ndarray) -> np.ndarray:
        """The class of each point (n, 2), or -1 outside of all regions; (n,)."""
        outputs = np.asarray(nn.predict(self.net, self.params, x))
        return np.where(outputs.any(axis=1), outputs.argmax(axis=1), -1)

    def expected(self, x: np.ndarray) -> np.ndarray:
        """The same by geometry."""
        inside = [np.any([p.contains(x) for p in group], axis=0) for group in self.groups]
        return np.where(np.any(inside, axis=0), np.argmax(inside, axis=0), -1)


def examples() -> list[Example]:
    """A pentagon; a square and a hexagon as one region; three classes, one in two places."""
    pentagon = regular(5, (0, 0), 2.5)
    both = regular(4, (-0.85, -0.9), 1.8), regular(6, (0.8, 0.8), 1.7)
    classes = (
        (regular(4, (-1.6, 1.4), 1.2), regular(4, (1.6, -1.6), 1.2)),
        (regular(3, (-1.4, -1.5), 1.4),),
        (regular(6, (1.5, 1.4), 1.3),),
    )
    return [
        Example("convex region", ("1",), ((pentagon,),), *convex_region(_units(pentagon))),
        Example("union of two regions", ("1",), (both,), *union_of_regions(*map(_units, both))),
        Example(
            "three classes",
            ("class 0", "class 1", "class 2"),
            classes,
            *regions_of_classes(*(tuple(map(_units, group)) for group in classes)),
        ),
    ]


def _units(polygon: Polygon) -> nn.Affine:
    return half_planes(*polygon.sides())


def table(shown: list[Example]) -> Table:
    """The network of each example, and how many points of a grid it puts where geometry does."""
    rows = Table("region", "network", "grid points as by geometry", box=None)
    points = grid(*SQUARE, 200)  # none of them on a side, where rounding would decide
    for example in shown:
        alike = (example.classify(points) == example.expected(points)).sum()
        rows.add_row(example.title, str(example.net), f"{alike:,} of {len(points):,}")
    return rows


def draw(shown: list[Example]) -> "Figure":
    """A panel for each example: filled where an output is 1, and the outlines of the polygons."""
    figure, axes = panels(len(shown))
    for panel, example in zip(axes, shown, strict=True):
        draw_regions(panel, *SQUARE, example.classify)
        for colour, name, group in zip(COLOURS, example.names, example.groups, strict=False):
            for polygon in group:
                closed = np.append(polygon.corners, polygon.corners[:1], axis=0)
                panel.plot(*closed.T, color=colour, linewidth=1.5)
                x, y = polygon.corners.mean(axis=0)
                panel.text(x, y, name, ha="center", va="center")
        panel.set(title=example.title, xlabel="$x_1$", ylabel="$x_2$")
    return figure


def run(folder: Path) -> None:
    """Print the table and write regions.png into the folder."""
    shown = examples()
    Console(width=100).print(table(shown))
    save(draw(shown), folder / "regions.png")
