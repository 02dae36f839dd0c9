"""What the plots of the demos have in common.

Figures are made without pyplot, which would keep them alive and look for a screen. Matplotlib is
imported where a figure is made, so that importing a demo stays quick.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue, vermilion, green and purple of Okabe and Ito, which the colour-blind tell apart. A class
# has a marker besides, so that plots can be read in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D")


def panels(number: int, *, share_axes: bool = False) -> tuple["Figure", list["Axes"]]:
    """A figure with so many square panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(0.4 + 4.4 * number, 4.4), layout="constrained")
    axes = figure.subplots(1, number, squeeze=False, sharex=share_axes, sharey=share_axes)
    return figure, list(axes[0])


def scatter_classes(axes: "Axes", x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Draw the points x (n, 2), each with the colour and marker of its label y (n,)."""
    for label, name in enumerate(names):
        axes.scatter(
            *x[y == label].T,
            c=COLOURS[label],
            marker=MARKERS[label],
            s=28,
            edgecolors="white",
            linewidths=0.5,
            label=name,
            zorder=3,
        )


def draw_boundary(axes: "Axes", w: Any, b: Any, **style: Any) -> None:
    """Draw the line w_0 x_0 + w_1 x_1 + b = 0 across the axes, without changing their limits."""
    w = np.asarray(w, float)
    foot = -float(b) * w / (w @ w)  # the point of the line that is nearest to the origin
    limits = axes.axis()
    axes.axline(tuple(foot), (foot[0] - w[1], foot[1] + w[0]), **style)
    axes.axis(limits)


def legend_below(axes: "Axes") -> None:
    """Explain markers and lines under the axes, where the legend covers none of them."""
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, frameon=False)


def grid(low: float, high: float, points: int) -> np.ndarray:
    """Points of a square grid in the plane, (points * points, 2) of float32, row by row."""
    ticks = np.linspace(low, high, points, dtype=np.float32)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def draw_regions(
    axes: "Axes", low: float, high: float, classify: Callable[[np.ndarray], Any]
) -> None:
    """Fill the square where points (n, 2) have class i >= 0 with colour i; -1 stays white."""
    from matplotlib.colors import ListedColormap

    points = 400
    labels = np.asarray(classify(grid(low, high, points))).reshape(points, points)
    axes.imshow(
        np.ma.masked_less(labels, 0),
        cmap=ListedColormap(COLOURS),
        vmin=-0.5,
        vmax=len(COLOURS) - 0.5,
        extent=(low, high, low, high),
        origin="lower",
        interpolation="nearest",
        alpha=0.45,
    )


def save(figure: "Figure", path: Path) -> None:
    """Write the figure as PNG."""
    figure.savefig(path, dpi=150)
