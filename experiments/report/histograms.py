"""Activations and deltas of every layer over epochs: epoch to the right, value upwards."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.report.images import density
from experiments.report.markup import figure, figures
from experiments.report.svg import QUIET, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS, COLUMNS = 60, 120  # cells of a map: values, and epochs at most


def rebinned(bins: Mapping[str, Any], edges: np.ndarray) -> np.ndarray:
    """The counts of equal bins from `low` to `high`, spread over the cells between `edges`."""
    counts = np.asarray(bins["counts"], np.float64)
    low, high = float(bins["low"]), float(bins["high"])
    if not high > low:  # every value the same: one cell has them all
        return np.histogram([low], edges, weights=[counts.sum()])[0]
    own = np.linspace(low, high, len(counts) + 1)
    below = np.interp(edges, own, np.concatenate([[0.0], counts.cumsum()]))
    return np.diff(below)


def shares(lines: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, float, float]:
    """(cells (ROWS, epochs), lowest value, highest value), each epoch relative to its fullest."""
    low = min(float(line["low"]) for line in lines)
    high = max(float(line["high"]) for line in lines)
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, ROWS + 1)
    cells = np.stack([rebinned(line, edges) for line in lines], axis=1)
    return cells / np.maximum(cells.max(0), 1e-300), low, high


def histogram_figures(lines: Sequence[Mapping[str, Any]], layers: Mapping[str, str]) -> str:
    """A map for each layer and kind that was recorded, as HTML; `layers` tells their names."""
    if not lines:
        return ""
    chosen = [
        lines[i] for i in np.linspace(0, len(lines) - 1, min(len(lines), COLUMNS)).astype(int)
    ]
    found = []
    for kind in ("activations", "deltas"):
        for i, path in enumerate(chosen[-1].get(kind, {})):
            bins = [
                (e["epoch"], e[kind][path]) for e in chosen if _finite(e.get(kind, {}).get(path))
            ]
            if bins:
                title = f"{path} {layers.get(path, '')}".strip()
                found.append(figure(title, _map(f"{kind}-{i}", title, kind, bins), kind))
    return figures(found)


def _finite(bins: Any) -> bool:
    return bins is not None and bool(np.isfinite([float(bins["low"]), float(bins["high"])]).all())


def _map(name: str, title: str, kind: str, bins: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    epochs = [epoch for epoch, _ in bins]
    cells, low, high = shares([line for _, line in bins])

    def paint(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        axes.imshow(
            density(cells[::-1]),
            extent=(epochs[0] - 0.5, epochs[-1] + 0.5, low, high),
            aspect="auto",
            interpolation="none",
        )
        axes.grid(visible=False)
        axes.axhline(0, color=QUIET, linewidth=0.6)
        axes.set_ylim(low, high)
        axes.xaxis.set_major_locator(
            MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10], min_n_ticks=1)
        )
        axes.set_xlabel("epoch")

    alt = f"{kind} of {title} over epochs, between {low:.3g} and {high:.3g}"
    return drawing(name, alt, paint, 3.7, 2.1)
