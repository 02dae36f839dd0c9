"""The perceptron on iris: a pair of classes that a line separates, and a pair that none does.

Two features of the training part, length and width of petals. On the separable pair the mistakes
stay below Novikoff's bound, computed from the separator half-way between the means of the classes.
On the other pair training never ends by itself, and the weights it happens to stop with are worse
than the best it has met, which the pocket keeps.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import jaxnn as nn
from experiments.common.plots import (
    COLOURS,
    draw_boundary,
    legend_below,
    panels,
    save,
    scatter_classes,
)
from experiments.data import Dataset, load

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIMIT = 1000
FEATURES = ("petal length (cm)", "petal width (cm)")


class Pair(NamedTuple):
    """Two classes and what was learned of them; `bound` is None where nothing separates them."""

    names: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    fits: dict[str, nn.perceptron.Fit]
    bound: float | None


def learn(data: Dataset, first: int, second: int) -> Pair:
    """Train on the two features of two classes, with labels 0 and 1."""
    chosen = np.isin(data.y, (first, second))
    x = data.x[chosen][:, [data.features.index(name) for name in FEATURES]]
    y = (data.y[chosen] == second).astype(np.int32)
    fits = {
        "last weights": nn.perceptron.train_perceptron(x, y, limit=LIMIT),
        "pocket": nn.perceptron.train_pocket_perceptron(x, y, jax.random.key(0), limit=LIMIT),
        "averaged": nn.perceptron.train_averaged_perceptron(x, y, epochs=10),
    }
    separable = bool(fits["last weights"].separated)
    bound = float(nn.perceptron.novikoff_bound(x, y, *between_means(x, y))) if separable else None
    return Pair((data.classes[first], data.classes[second]), x, y, fits, bound)


def between_means(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """w and b of the line half-way between the means of the classes, at right angles to them."""
    mean, other = x[y == 0].mean(0), x[y == 1].mean(0)
    w = other - mean
    return w, -(w @ (mean + other)) / 2


def table(pairs: list[Pair]) -> Table:
    """A row for each pair and way of training."""
    shown = Table("classes", "weights", "mistakes", "Novikoff", "separated", "accuracy", box=None)
    for pair in pairs:
        for way, fit in pair.fits.items():
            bounded = pair.bound is not None and way == "last weights"
            shown.add_row(
                " / ".join(pair.names),
                way,
                str(fit.mistakes),
                f"at most {pair.bound:.0f}" if bounded else "",
                "yes" if fit.separated else "no",
                f"{1 - int(fit.wrong) / len(pair.x):.1%}",
            )
    return shown


def draw(pairs: list[Pair]) -> "Figure":
    """A panel for each pair, with the points and the boundaries learned."""
    figure, axes = panels(len(pairs))
    lines = {
        "last weights": (COLOURS[2], "--"),
        "pocket": ("black", "-"),
        "averaged": (COLOURS[3], ":"),
    }
    for panel, pair in zip(axes, pairs, strict=True):
        scatter_classes(panel, pair.x, pair.y, pair.names)
        for way, (colour, style) in lines.items():
            fit = pair.fits[way]
            draw_boundary(panel, fit.w, fit.b, color=colour, linestyle=style, label=way)
        panel.set(xlabel=f"{FEATURES[0]}, standardised", ylabel=f"{FEATURES[1]}, standardised")
        separated = "separable" if pair.bound is not None else "not separable"
        panel.set_title(f"{' / '.join(pair.names)}: {separated}")
        legend_below(panel)
    return figure


def run(folder: Path) -> None:
    """Print the table and write perceptron.png into the folder."""
    data = load("iris")
    pairs = [learn(data, 0, 1), learn(data, 1, 2)]
    console = Console(width=100)
    console.print(table(pairs))
    for pair in pairs:
        console.print(f"{' / '.join(pair.names)}: {pair.fits['last weights']}")
    save(draw(pairs), folder / "perceptron.png")
