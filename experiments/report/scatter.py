"""Predicted against true numbers of the test part."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.common.plots import COLOURS
from experiments.report.markup import figure, figures
from experiments.report.outcome import Outcome
from experiments.report.svg import QUIET, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 6  # targets
POINTS = 2000


def predicted_against_true(found: Outcome) -> str:
    """A figure for each target, as HTML: on the line, a prediction is right."""
    several = found.y.shape[1] > 1
    each = (
        figure(f"Target {j}" if several else "Predicted against true", _scatter(j, found))
        for j in range(min(found.y.shape[1], MOST))
    )
    return figures(each, "figures wide")


def _scatter(j: int, found: Outcome) -> str:
    y, said = found.y[:POINTS, j], found.said[:POINTS, j]
    low, high = float(np.min([y, said])), float(np.max([y, said]))

    def paint(axes: "Axes") -> None:
        axes.axline((low, low), (high + (high == low), high + (high == low)), color=QUIET, lw=1)
        axes.scatter(y, said, s=16, color=COLOURS[0], alpha=0.6, linewidths=0)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        axes.set_aspect("equal", adjustable="datalim")

    alt = f"predicted against true numbers of {len(y)} test examples, from {low:.4g} to {high:.4g}"
    return drawing(f"scatter-{j}", alt, paint, 4.6, 3.6)
