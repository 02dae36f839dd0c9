"""Which classes are taken for which."""

import math
from collections.abc import Sequence

import numpy as np

from experiments.report.markup import paragraph, table, text

MOST = 30  # classes of a whole matrix; of more, only what happens most is listed


def counts(y: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes): how many examples of class i were said to be of class j."""
    found = np.zeros((classes, classes), int)
    np.add.at(found, (y, said), 1)
    return found


def confusion(y: np.ndarray, said: np.ndarray, classes: Sequence[str]) -> str:
    """The matrix of counts with the recall of each class, as HTML."""
    found = counts(y, said, len(classes))
    if len(classes) > MOST:
        return paragraph(f"The confusions that happen most among {len(classes)} classes.") + _pairs(
            found, classes
        )
    words = "A row for each class as it is, a column for each as it was said to be."
    return paragraph(words) + _matrix(found, classes)


def recall(found: np.ndarray) -> list[str]:
    """The share of each class that was recognised."""
    return [f"{row[i] / row.sum():.1%}" if row.sum() else "" for i, row in enumerate(found)]


def _matrix(found: np.ndarray, classes: Sequence[str]) -> str:
    upright = ' class="upright"' if sum(map(len, classes)) > 30 else ""
    head = "".join(f'<th scope="col"><span{upright}>{text(c)}</span></th>' for c in classes)
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{_cells(found, i)}<td>{share}</td></tr>\n'
        for i, (name, share) in enumerate(zip(classes, recall(found), strict=True))
    )
    return (
        '<div class="scroll"><table class="confusion">\n<thead><tr>'
        f'<td></td>{head}<th scope="col">recall</th>'
        f"</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )


def _cells(found: np.ndarray, i: int) -> str:
    """The counts of class i: right ones blue, wrong ones vermilion, by their share of the class."""
    cells, whole = [], max(found[i].sum(), 1)
    for j, count in enumerate(found[i]):
        if not count:
            cells.append('<td class="zero">·</td>')
            continue
        colour = "blue" if i == j else "vermilion"
        opacity = min(0.6 * math.sqrt(count / whole), 0.5)  # the root, so that one of many shows
        shade = f"rgba(var(--{colour}-rgb), {opacity:.2f})"
        cells.append(f'<td style="background: {shade}">{count}</td>')
    return "".join(cells)


def _pairs(found: np.ndarray, classes: Sequence[str]) -> str:
    wrong = found - np.diag(np.diag(found))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST]
    pairs = [divmod(int(k), len(classes)) for k in order if wrong.flat[k]]
    rows = [
        (classes[i], classes[j], wrong[i, j], f"{wrong[i, j] / found[i].sum():.1%}")
        for i, j in pairs
    ]
    return table(("true", "said", "examples", "of the class"), rows)
