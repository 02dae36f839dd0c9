"""Matplotlib figures as inline SVG that follows the page: its font, and its colours by day and by
night.

A figure is drawn in the colours of `INK`, which are then replaced by the variables of the style
sheet. Its ids are its own, so that many figures can share a page, and it is the same every time.
"""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from experiments.common.plots import COLOURS
from experiments.report.markup import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, QUIET, LINE = "#010101", "#020202", "#030303"  # stand-ins that nothing else is drawn in
_VARIABLES = dict(
    zip(
        (INK, QUIET, LINE, *COLOURS),
        ("ink", "quiet", "line", "blue", "vermilion", "green", "purple"),
        strict=True,
    )
)
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: to be read aloud, searched, and set in our font
    "svg.hashsalt": "jaxnn",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 9,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def drawing(
    name: str, alt: str, paint: Callable[["Axes"], None], width: float, height: float
) -> str:
    """What `paint` draws into the one panel of a figure, so many inches large, as <svg>.

    `name` keeps the ids of this figure apart from those of others, `alt` says what it shows.
    """
    import matplotlib
    from matplotlib.figure import Figure

    target = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure.subplots())
        figure.savefig(target, format="svg", metadata={"Date": None})
    return _inline(target.getvalue(), name, alt)


def css(colour: str) -> str:
    """A colour of a figure as the style sheet names it."""
    known = {colour: f"var(--{variable})" for colour, variable in _VARIABLES.items()}
    return known.get(colour, colour)


def _inline(svg: str, name: str, alt: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    view = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg {view and view[0]} role="img" aria-label="{text(alt)}">'
    svg = opening + svg[svg.index(">") + 1 :]
    svg = re.sub(r' (?:style|d)="[^"]*"', lambda found: _shorter(found[0]), svg)
    return _own_ids(svg, name)


def _shorter(attribute: str) -> str:
    """An attribute without what the page decides, or more digits than can be seen."""
    if attribute.startswith(" d="):
        return re.sub(r"(\.\d\d)\d+", r"\1", attribute).replace(" \n", " ")
    attribute = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", attribute)
    attribute = re.sub(r" ?font-family:[^;\"]*;?", "", attribute)
    for colour, variable in _VARIABLES.items():
        attribute = attribute.replace(colour.lower(), f"var(--{variable})")
    return attribute


def _own_ids(svg: str, name: str) -> str:
    """Ids that are referred to begin with the name; the others go."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))

    def own(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in used else ""

    svg = re.sub(r'\sid="([^"]*)"', own, svg)
    return re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
