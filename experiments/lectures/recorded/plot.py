"""Figures: recorded and reproduced curves, one on the other."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.common.plots import COLOURS, panels
from experiments.lectures.recorded.agreement import TOLERANCE, cost_difference
from experiments.lectures.recorded.files import Curves
from experiments.lectures.recorded.images import EVALUATION
from experiments.lectures.recorded.runs import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARTS = {"training": COLOURS[0], "evaluation": COLOURS[1]}
_RECORDED = {"linewidth": 5, "alpha": 0.35}  # wide and pale, so that the other shows on top


def draw_curves(run: Run, expected: Curves, found: Curves, apart: np.ndarray | None) -> "Figure":
    """Panels for the costs, their differences and the right answers, each if it was recorded.

    Beside the difference of reproduced from recorded costs stands, where `apart` (epochs,) is
    given, that from a run of ours whose initial parameters were nudged by one rounding.
    """
    costs = expected.evaluation_cost.size or expected.training_cost.size
    counts = expected.evaluation_correct.size or expected.training_correct.size
    figure, axes = panels(2 * bool(costs) + bool(counts))
    figure.suptitle(f"{run.name}\n{run.hidden} hidden, eta {run.eta:g}, lambda {run.lam:g}")
    if costs:
        _overlay(axes[0], "cost", expected, found, {"training": 1, "evaluation": 1})
        axes[0].set_ylabel("cost")
        _differences(axes[1], cost_difference(found, expected), apart)
    if counts:
        percent = {"training": 100 / run.examples, "evaluation": 100 / EVALUATION}
        _overlay(axes[-1], "correct", expected, found, percent)
        axes[-1].set_ylabel("right answers, %")
    return figure


def _overlay(
    axes: "Axes", kind: str, expected: Curves, found: Curves, scale: dict[str, float]
) -> None:
    for part, colour in _PARTS.items():
        theirs, ours = (getattr(c, f"{part}_{kind}") * scale[part] for c in (expected, found))
        if theirs.size:
            axes.plot(*_by_epoch(theirs), color=colour, label=f"{part}, recorded", **_RECORDED)
            axes.plot(*_by_epoch(ours), color=colour, lw=1.2, label=f"{part}, reproduced")
    axes.set_xlabel("epoch")
    axes.legend()


def _differences(axes: "Axes", found: np.ndarray, apart: np.ndarray | None) -> None:
    axes.plot(*_by_epoch(found), color=COLOURS[2], label="reproduced from recorded")
    if apart is not None:
        axes.plot(*_by_epoch(apart), "--", color=COLOURS[3], label="reproduced from nudged")
    axes.axhline(TOLERANCE, color="grey", lw=0.8, ls=":")
    axes.set(xlabel="epoch", ylabel="relative difference of the cost", yscale="log")
    axes.set_ylim(1e-16, 1e4)  # room for the legend
    axes.legend(loc="upper right")


def draw_norms(recorded: dict[int, np.ndarray], drawn: dict[int, np.ndarray]) -> "Figure":
    """A panel for each number of hidden layers: the norm of each layer's error over the epochs.

    recorded[h] (epochs, h) as lines, drawn[h] (seeds, epochs, h) as bands from smallest to largest.
    """
    figure, axes = panels(len(recorded), share_axes=True)
    for panel, (hidden, norms) in zip(axes, recorded.items(), strict=True):
        epochs = np.arange(len(norms))
        for layer in range(hidden):
            colour, band = COLOURS[layer], drawn[hidden][:, :, layer]
            panel.fill_between(epochs, band.min(0), band.max(0), color=colour, alpha=0.25, lw=0)
            panel.plot(epochs, norms[:, layer], color=colour, label=f"hidden layer {layer + 1}")
        panel.set(title=f"{hidden} hidden layers", xlabel="steps made", yscale="log")
        panel.legend(loc="upper right")
    axes[0].set_ylabel("norm of the mean error")
    figure.suptitle(
        f"Recorded norms (lines), and {len(next(iter(drawn.values())))} networks drawn anew (bands)"
    )
    return figure


def _by_epoch(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(1, len(values) + 1), values
