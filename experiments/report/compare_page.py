"""The page that lays runs side by side: their table, and their curves on each other."""

from experiments.report.comparison import Comparison, overlaid
from experiments.report.curves import colours, named, over_epochs
from experiments.report.markup import Section, figure, figures, page, paragraph, table
from experiments.report.svg import css


def compare_page(found: Comparison) -> str:
    """The page as HTML. A colour means the same run everywhere."""
    shades = dict(zip(found.names, colours(found.names), strict=True))
    each = []
    for key, curves in overlaid(found.runs, found.names).items():
        kind = key.split()[-1]
        shown = [shades[name] for name in curves]
        drawn = over_epochs(key.replace(" ", "-"), kind, curves, shades=shown, legend=False)
        each.append(figure(named(kind), drawn, f"{key.split()[0]} part"))
    rows = table(found.head, found.rows, "pinned", [css(shade) for shade in shades.values()])
    body = rows + "".join(paragraph(remark, "quiet") for remark in found.remarks)
    sections = [Section("runs", "Runs", body), Section("curves", "Curves", figures(each))]
    best, monitored = found.names[0], found.head[-5]
    return page("Comparison", paragraph(f"Best by {monitored}: {best}", "result"), sections)
