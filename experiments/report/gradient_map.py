"""A picture of how far off each entry of a gradient is, array by array, on one scale of colours.

    error_i = |ours_i - reference_i| / |reference|

with the norm of the whole array, so that no entry of an array that passes a check is further off
than what the check allows; an entry that happens to be near zero would be off by any factor of
itself. Blue is allowed, orange to red is not, black is no number. Where a gradient is zero
throughout, errors are relative to the norm of all arrays together.
"""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common.plots import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELLS = 96  # at most so many along an axis: of the entries that share a cell, the worst is shown
COLUMNS = 4
MATRIX, STRIP = 8, 1  # heights
ALLOWED, WRONG = ("#f4f8fc", "#9fc2e0"), ("#fdd9a0", "#e8602c", "#7f0f0f")
NOT_A_NUMBER = "#000000"


def draw(
    path: Path,
    title: str,
    ours: Mapping[str, np.ndarray],
    reference: Mapping[str, np.ndarray],
    allowed: float,
) -> None:
    """Write the picture of the gradients by path, such as `params[2].w`; `allowed` is the relative
    error that may be."""
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    figure.suptitle(title, fontsize=11)
    colours, norm = scale(allowed)
    whole = np.linalg.norm([np.linalg.norm(a) for a in reference.values()])
    axes, beside = panels(figure, {name: a.shape for name, a in reference.items()})
    for name, right in reference.items():
        size = np.linalg.norm(right)
        zero = size <= 1e-12 * whole
        errors = coarse(relative(ours[name], right, float(whole if zero else size)))
        with np.errstate(divide="ignore"):
            shown = np.maximum(np.log10(errors), norm.vmin)
        image = axes[name].imshow(
            shown, cmap=colours, norm=norm, aspect="auto", interpolation="nearest"
        )
        _label(axes[name], f"{name}{', truly zero' if zero else ''}", right.shape)
    _mark(figure.colorbar(image, cax=beside, extend="min"), norm, allowed)
    save(figure, path)


def panels(
    figure: "Figure", shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, "Axes"], "Axes"]:
    """Axes for every array, a column for each layer with vectors as strips, and for the colours."""
    groups = [list(group) for _, group in itertools.groupby(shapes, layer_of)]
    columns = min(COLUMNS, len(groups))
    rows = -(-len(groups) // columns)
    figure.set_size_inches(1.6 + 2.7 * columns, 0.5 + 3.1 * rows)
    grid, axes = figure.add_gridspec(rows, columns + 1, width_ratios=[1] * columns + [0.08]), {}
    for i, group in enumerate(groups):
        heights = [MATRIX if len(shapes[name]) > 1 else STRIP for name in group]
        if MATRIX not in heights:
            heights.append(MATRIX)  # left empty
        cell = grid[divmod(i, columns)].subgridspec(len(heights), 1, height_ratios=heights)
        axes |= {name: figure.add_subplot(cell[row]) for row, name in enumerate(group)}
    return axes, figure.add_subplot(grid[:, -1])


def layer_of(path: str) -> str:
    """The path without its last step: `params[2]` for `params[2].w`."""
    return re.sub(r"(\.\w+|\[[^]]*\])$", "", path)


def relative(ours: np.ndarray, reference: np.ndarray, size: float) -> np.ndarray:
    """|ours - reference| / size as a matrix; a vector becomes a row, a tensor keeps its last axis.

    nan where ours is no number; 0 where both are the same, whatever the size.
    """
    off = np.abs(ours - reference)
    errors = np.where(off == 0, 0.0, off / (size or 1.0))
    return errors.reshape(-1, errors.shape[-1]) if errors.ndim else errors.reshape(1, 1)


def coarse(a: np.ndarray, cells: int = CELLS) -> np.ndarray:
    """The largest entry of each block, at most `cells` blocks along each axis; nan is largest."""
    for axis, n in enumerate(a.shape):
        if n > cells:
            a = np.maximum.reduceat(a, np.arange(cells) * n // cells, axis=axis)
    return a


def scale(allowed: float) -> tuple[Any, Any]:
    """Colours, and their norm on log10 of the error: the middle is what is allowed, the top 1."""
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    points = [*zip((0.0, 0.5), ALLOWED, strict=True), *zip((0.5, 0.75, 1.0), WRONG, strict=True)]
    colours = LinearSegmentedColormap.from_list("errors", points).with_extremes(bad=NOT_A_NUMBER)
    middle = min(np.log10(allowed), -1.0)
    return colours, TwoSlopeNorm(vmin=np.floor(middle) - 4, vcenter=middle, vmax=0.0)


def _label(axes: "Axes", name: str, shape: tuple[int, ...]) -> None:
    axes.set_title(f"{name}   {' x '.join(map(str, shape)) or 'a number'}", fontsize=9, pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")


def _mark(bar: Any, norm: Any, allowed: float) -> None:
    """Ticks at powers of ten, and a line with a label at what is allowed."""
    low, middle = int(norm.vmin), norm.vcenter
    ticks = [*range(low, int(middle), 2), *(t for t in range(-15, 1, 3) if t > middle + 0.5)]
    bar.set_ticks(ticks, labels=[f"$10^{{{tick}}}$" for tick in ticks])
    bar.ax.axhline(middle, color="black", linewidth=1.2)
    bar.ax.text(-0.2, middle, f"allowed\n{allowed:.0e}", ha="right", va="center", fontsize=8)
    bar.set_label("error of an entry / norm of its array", fontsize=9)
    bar.ax.tick_params(labelsize=8)
