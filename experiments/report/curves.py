"""Curves over epochs: loss and score of each part, and everything else that was recorded."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.common.plots import COLOURS
from experiments.report.markup import figure, figures
from experiments.report.svg import INK, QUIET, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {"train": COLOURS[0], "validation": COLOURS[1], "test": COLOURS[2]}
Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]  # label: (epochs, values)
_NAMES = {
    "r2": "R²",
    "f1": "F1",
    "auc": "AUC",
    "bits_per_character": "Bits per character",
    "dead": "Dead units",
    "saturated": "Saturated outputs",
    "delta": "Angle of the delta to backprop's",
    "gradient": "Angle of the gradient to backprop's",
    "seconds": "Seconds an epoch",
}
_LOGARITHMIC = ("loss", "objective", "gradient_norm", "update_ratio", "seconds")
SMALL, LARGE = (3.7, 2.4), (4.6, 2.9)  # inches
_FEW = 12  # epochs: with so few, every one is marked


def grouped(metrics: Sequence[Mapping[str, Any]]) -> Mapping[str, Curves]:
    """The metrics by what they measure: {"loss": {"train": ..., "test": ...}, ...}.

    Parts share a figure, and so do the layers of a network. Values that are no finite number are
    left out, as an epoch without the metric is.
    """
    found: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    for line in metrics:
        for key, value in line.items():
            if key == "epoch" or not isinstance(value, int | float):
                continue
            kind, label = _kind(key)
            epochs, values = found.setdefault(kind, {}).setdefault(label, ([], []))
            epochs.append(line["epoch"])
            values.append(float(value))
    return found


def _kind(key: str) -> tuple[str, str]:
    """("loss", "train") of `train_loss`, ("dead", "3") of `dead 3`, ("angle", "[1].w") of
    `[1].w angle`."""
    part, _, kind = key.partition("_")
    if part in PARTS and kind:
        return kind, part
    words = key.split(" ")
    paths = [word for word in words if re.match(r"\[?\d", word)]
    return " ".join(word for word in words if word not in paths), " ".join(paths)


def named(kind: str) -> str:
    """What a figure of that kind is called."""
    return _NAMES.get(kind, kind.replace("_", " ").capitalize())


def over_epochs(
    name: str,
    kind: str,
    curves: Curves,
    best: int | None = None,
    *,
    large: bool = False,
    shades: Sequence[str] = (),
    legend: bool = True,
) -> str:
    """A figure with curves, and a line at the best epoch where one is given."""

    def paint(axes: "Axes") -> None:
        positive = all(v > 0 for _, values in curves.values() for v in values)
        chosen = zip(curves.items(), shades or colours(list(curves)), strict=True)
        dot = "o" if max(len(epochs) for epochs, _ in curves.values()) <= _FEW else None
        for (label, (epochs, values)), colour in chosen:
            axes.plot(epochs, values, color=colour, marker=dot, markersize=3, label=label)
        if kind in _LOGARITHMIC and positive:
            logarithmic(axes)
        if best is not None:
            label = f"best, epoch {best}"
            axes.axvline(best, color=QUIET, linewidth=1, linestyle=(0, (3, 3)), label=label)
        _finish(axes)
        if legend and (best is not None or len(curves) > 1 or "" not in curves):
            _explain(axes)

    alt = _alt(kind, curves, best)
    return drawing(name, alt, paint, *(LARGE if large else SMALL))


def colours(labels: Sequence[str]) -> list[str]:
    """A colour for each curve. Many go from first to last along one scale that stands out from
    black and from white."""
    if set(labels) <= set(PARTS):
        return [PARTS[label] for label in labels]
    if (n := len(labels)) <= len(COLOURS):
        return list(COLOURS[:n])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](0.2 + 0.6 * i / (n - 1))) for i in range(n)]


def logarithmic(axes: "Axes") -> None:
    """A logarithmic axis of values whose ticks are ordinary numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    if sum(low <= tick <= high for tick in axes.get_yticks()) < 3:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _finish(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(
        MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10], min_n_ticks=1)
    )
    axes.margins(x=0.02)
    axes.grid(visible=False, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("epoch")


def _explain(axes: "Axes") -> None:
    labels = axes.get_legend_handles_labels()[1]
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1.0),
        ncols=6 if max(map(len, labels)) < 5 else 4,
        labelcolor=INK,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0.2,
        borderpad=0,
    )


def _alt(kind: str, curves: Curves, best: int | None) -> str:
    ends = [
        f"{label or kind} from {values[0]:.4g} to {values[-1]:.4g}"
        for label, (_, values) in curves.items()
        if len(values)
    ]
    marked = "" if best is None else f"; best epoch {best}"
    return f"{named(kind)} over epochs: {', '.join(ends[:12])}{marked}"


def main_figures(metrics: Sequence[Mapping[str, Any]], score: str, best: int | None) -> str:
    """Loss and score, side by side."""
    found = grouped(metrics)
    each = (
        figure(named(kind), over_epochs(f"curve-{kind}", kind, found[kind], best, large=True))
        for kind in ("loss", score)
        if kind in found
    )
    return figures(each, "figures wide")


def other_figures(metrics: Sequence[Mapping[str, Any]], times: Sequence[Mapping[str, Any]]) -> str:
    """All other metrics, and the seconds of every epoch, in small figures."""
    found = {k: v for k, v in grouped(metrics).items() if k not in ("loss", "accuracy", "r2")}
    found |= {k: v for k, v in grouped(times).items() if k == "seconds"}
    return figures(
        figure(named(kind), over_epochs(f"other-{i}", kind, curves))
        for i, (kind, curves) in enumerate(found.items())
    )
