"""The gradient check of a run's network, and a map of every gradient's errors.

Made anew for the report, at the first parameters and the first mini-batch, as the `check` command
does; the colours are those of its picture (`experiments.report.gradient_map`).
"""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config import Experiment
from experiments.report import checking, gradient_map
from experiments.report.images import image, signed
from experiments.report.markup import figure, figures, folded, paragraph, text
from experiments.report.svg import INK, drawing
from jaxnn.check import Report
from jaxnn.check.numeric.arrays import named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VERDICTS = {
    "ok": "Every gradient agrees with that of autodiff, as far as rounding lets one tell.",
    "wrong": "A gradient is wrong.",
    "inconclusive": "The check could not judge every gradient.",
}


def gradient_check(experiment: Experiment) -> str:
    """Verdict, map and text of the check as HTML. Raises Failure where it cannot be made."""
    setting = checking.first_batch(experiment)
    reports = checking.check(setting, "quick")
    worst = max((r.verdict for r in reports.values()), key=list(_VERDICTS).index)
    report = reports["backpropagation"]
    maps = _maps(setting, report) if report.leaves else ""
    words = "\n\n".join(map(str, reports.values()))
    return paragraph(_VERDICTS[worst]) + maps + folded("The report", f"<pre>{text(words)}</pre>\n")


def _maps(setting: checking.Setting, report: Report) -> str:
    """The scale, and a cell for each layer with a map for each of its arrays."""
    ours, reference = (named(tree, "params") for tree in checking.gradients(setting))
    norm = gradient_map.scale(_allowed(report))[1]
    whole = float(np.linalg.norm([np.linalg.norm(a) for a in reference.values()]))
    cells = []
    for _, group in itertools.groupby(reference, gradient_map.layer_of):
        maps = (_map(name, ours[name], reference[name], norm, whole) for name in group)
        cells.append(f"<div>{''.join(maps)}</div>\n")
    return _bar(norm) + figures(cells)


def _map(name: str, ours: np.ndarray, reference: np.ndarray, norm: Any, whole: float) -> str:
    size = float(np.linalg.norm(reference))
    zero = size <= 1e-12 * whole
    errors = gradient_map.relative(ours, reference, whole if zero else size)
    with np.errstate(divide="ignore"):
        shown = np.maximum(np.log10(gradient_map.coarse(errors)), norm.vmin)
    pixels = image(_colours(shown, norm), f"{name}: largest error {np.max(errors):.1e} of its norm")
    shape = " x ".join(map(str, reference.shape)) or "a number"
    kind = "map strip" if len(shown) == 1 else "map"
    return figure(name, pixels, f"{shape}{', truly zero' if zero else ''}", kind)


def _colours(shown: np.ndarray, norm: Any) -> np.ndarray:
    """log10 of errors as bytes (height, width, 4): what is allowed is clear blue, so that it looks
    alike on light and dark paper; what is not, and what is no number, is as `check` draws it."""
    colours = gradient_map.scale(10**norm.vcenter)[0]
    shares = norm(np.ma.masked_invalid(shown))
    found = (colours(shares) * 255).astype(np.uint8)
    blue = signed(np.ma.filled(shares, 0.0) + 0.05, 1.0)
    return np.where((shown <= norm.vcenter)[..., None], blue, found)


def _allowed(report: Report) -> float:
    """The largest relative error that the check lets pass in float64."""
    leaves = (leaf for leaf in report.leaves if leaf.dtype == "float64" and not leaf.vanishes)
    return max((leaf.resolution for leaf in leaves), default=1e-12)


def _bar(norm: Any) -> str:
    """The scale of the maps, with a mark at what the check allows."""
    low, middle = float(norm.vmin), float(norm.vcenter)

    def paint(axes: "Axes") -> None:
        strip = _colours(np.linspace(low, 0, 256)[None], norm)
        axes.imshow(strip, extent=(low, 0, 0, 1), aspect="auto", interpolation="none")
        axes.grid(visible=False)
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        ticks = [t for t in range(int(low), 1) if t % 4 == 0]
        axes.set_xticks(ticks, [f"1e{t}" if t else "1" for t in ticks])
        axes.axvline(middle, color=INK, linewidth=1.2)

    alt = f"errors from 1e{low:.0f} to 1; up to {10**middle:.0e} is allowed"
    words = f"of an entry, by the norm of its array; allowed up to the line, {10**middle:.0e}"
    return figure("Error", drawing("errors", alt, paint, 4.6, 0.55), words, "bar")
