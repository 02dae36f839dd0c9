"""The page about a run: RUN/report.html."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common.failures import Failure
from experiments.common.runs import Lines, write_whole
from experiments.report import sections
from experiments.report.markup import page, paragraph
from experiments.report.source import Source, source
from experiments.report.words import facts, result


def report(folder: Path, *, best: bool = False, check: bool = True) -> Path:
    """Write the page about a run, and return its path. The same run gives the same bytes.

    With `best` it is about the best epoch instead of the last; `check` also makes the gradient
    check anew. What cannot be had is left out, and the page says why. Raises ConfigError for a
    folder that is no run.
    """
    path = folder / "report.html"
    write_whole(path, run_page(source(folder, best), check).encode())
    return path


def run_page(found: Source, check: bool) -> str:
    """The page as HTML."""
    times = Lines(found.stored.folder / "times.jsonl").read()
    made = [
        sections.config(found),
        sections.curves(found),
        *sections.test_part(found),
        sections.weights(found),
        sections.histograms(found),
        sections.check(found) if check else None,
        sections.others(found, times),
        sections.environment(found),
    ]
    name = found.stored.folder.resolve().name
    return page(name, _head(found, times), [section for section in made if section is not None])


def _head(found: Source, times: Sequence[Mapping[str, Any]]) -> str:
    """The result, the facts, and what keeps the page from being whole."""
    stored = found.stored
    head = paragraph(result(found.line), "result")
    head += paragraph(facts(found, _description(found), times), "quiet")
    if not stored.finished:
        head += paragraph(
            f"Unfinished: {len(stored.metrics)} of {stored.experiment.train.epochs} epochs. "
            f"Go on with: python -m experiments resume {stored.folder}",
            "note",
        )
    if found.missing and stored.metrics:
        words = "Left out: what needs the network and its data. "
        head += paragraph(words + found.missing, "note")
    return head


def _description(found: Source) -> Mapping[str, Any] | None:
    try:
        return found.stored.description
    except Failure:
        return None
