"""The examples of the test part that went most wrong: as images, or with their features."""

import numpy as np

from experiments.data import Dataset
from experiments.report.images import grey, image
from experiments.report.markup import paragraph, table, text
from experiments.report.outcome import Outcome

IMAGES, ROWS, FEATURES = 24, 8, 40


def worst(data: Dataset, found: Outcome) -> str:
    """The misread examples of largest loss, as HTML; where none is misread, those that came next.
    In regression those that are furthest off."""
    order, n = np.argsort(-found.loss, kind="stable"), len(found.y)
    words = "Those furthest off."
    if data.classes:
        misread = found.misread
        verb = "is" if len(misread) == 1 else "are"
        words = f"{len(misread):,} of {n:,} {verb} misread; the largest loss comes first."
        if len(misread):
            order = misread
        else:
            words = f"None of {n:,} is misread. These came nearest to it."
    if data.pixel_max and data.x.ndim in (3, 4):
        words += " True → said, and how surely." if found.share is not None else ""
        return paragraph(words) + _tiles(data, found, order[:IMAGES])
    return paragraph(words) + _features(data, found, order[:ROWS])


def _tiles(data: Dataset, found: Outcome, rows: np.ndarray) -> str:
    tiles, kind = [], "loss " if found.share is None else ""
    for i in rows:
        true, said = _words(data, found, i)
        alt = f"test image {i}: {true}, read as {said}"
        pixels = image(grey(data.x_test[i].astype(np.float64), float(data.pixel_max or 1)), alt)
        caption = f"{text(true)} → {text(said)}<br><small>{kind}{_sure(found, i)}</small>"
        tiles.append(f"<figure>{pixels}<figcaption>{caption}</figcaption></figure>\n")
    return f'<div class="tiles">\n{"".join(tiles)}</div>\n'


def _features(data: Dataset, found: Outcome, rows: np.ndarray) -> str:
    """A column for each example; under what it is and was said to be, its features."""
    head = ["test example", *(str(i) for i in rows)]
    true, said = zip(*(_words(data, found, i) for i in rows), strict=True)
    lines = [["true", *true], ["said", *said]]
    if data.classes:
        kind = "loss" if found.share is None else "probability"
        lines.append([kind, *(_sure(found, i) for i in rows)])
    features = readable(data, data.x_test[rows])
    lines += [[name, *values] for name, values in list(features.items())[:FEATURES]]
    words = f"The first {FEATURES} of {len(features)} features." if len(features) > FEATURES else ""
    return table(head, lines, "pinned") + (paragraph(words, "quiet") if words else "")


def readable(data: Dataset, x: np.ndarray) -> dict[str, list[str]]:
    """The features of standardised examples (n, features) in raw units, by the column they are of.

    Empty where the features have no names.
    """
    if not data.features or data.scaling is None:
        return {}
    values = x * data.scaling.std + data.scaling.mean
    if not data.columns:
        return {name: [f"{v:.4g}" for v in values[:, j]] for j, name in enumerate(data.features)}
    found, at = {}, 0
    for column in data.columns:
        part = values[:, at : at + len(column.features)]
        if column.categories:
            found[column.name] = [column.categories[j] for j in part.argmax(1)]
        else:
            found[column.name] = [f"{v:.4g}" for v in part[:, 0]]
        at += len(column.features)
    return found


def _words(data: Dataset, found: Outcome, i: int) -> tuple[str, str]:
    """What an example is, and what it was said to be."""
    if data.classes:
        return data.classes[found.y[i]], data.classes[found.said[i]]
    true, said = (", ".join(f"{v:.4g}" for v in values[i]) for values in (found.y, found.said))
    return true, said


def _sure(found: Outcome, i: int) -> str:
    """How sure the network was of what it said: the probability or, without one, the loss."""
    return f"{found.loss[i]:.3g}" if found.share is None else f"{found.share[i, found.said[i]]:.1%}"
