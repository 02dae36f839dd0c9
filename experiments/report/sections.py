"""The sections of a page about a run. One without anything to show is left out."""

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.common.failures import Failure
from experiments.common.runs import Lines
from experiments.config.flat import changed, flat
from experiments.report.confusion import confusion
from experiments.report.curves import main_figures, other_figures
from experiments.report.histograms import histogram_figures
from experiments.report.markup import Section, folded, pairs, paragraph
from experiments.report.mistakes import worst
from experiments.report.outcome import outcome
from experiments.report.scatter import predicted_against_true
from experiments.report.source import Source
from experiments.report.weights import weight_images
from experiments.report.words import set_to
from experiments.training import history
from experiments.training.display import score_of
from experiments.training.notes import short
from jaxnn.core.walk import innermost


def curves(found: Source) -> Section | None:
    """Loss and score over epochs."""
    lines = found.stored.metrics
    if not lines:
        return None
    part = {"train": "training", "validation": "validation"}[history.selection(lines[-1])]
    monitor = found.stored.experiment.train.monitor
    words = f"Judged by the {monitor} of the {part} part, epoch {found.best} is the best."
    best = found.best if len(lines) > 1 else None
    return Section(
        "curves", "Curves", paragraph(words) + main_figures(lines, score_of(lines[-1]), best)
    )


def test_part(found: Source) -> list[Section]:
    """What the network makes of the test part: confusions and mistakes, or predictions."""
    if found.network is None:
        return []
    net, params, data, task = found.network
    made = outcome(task, data, net, params)
    if data.classes:
        matrix = Section("confusions", "Confusions", confusion(made.y, made.said, data.classes))
        return [matrix, Section("mistakes", "Worst mistakes", worst(data, made))]
    scatter = Section("predictions", "Predictions", predicted_against_true(made))
    return [scatter, Section("mistakes", "Worst mistakes", worst(data, made))]


def weights(found: Source) -> Section | None:
    """The weights of the first layer, where the inputs are images."""
    if found.network is None or found.network.data.pixel_max is None:
        return None
    body = weight_images(found.network.params, found.network.data.x.shape[1:])
    return Section("weights", "First-layer weights", body) if body else None


def histograms(found: Source) -> Section | None:
    """Activations and deltas over epochs."""
    lines, names = Lines(found.stored.folder / "histograms.jsonl").read(), {}
    if found.network is not None:
        names = {
            short(path): type(layer).__name__ for path, layer in innermost(found.network.task.net)
        }
    body = histogram_figures(lines, names)
    words = "Each column is an epoch, relative to its fullest cell; the line is at 0."
    return (
        Section("histograms", "Activations and deltas", paragraph(words) + body) if body else None
    )


def check(found: Source) -> Section:
    """The gradient check."""
    from experiments.report.gradients import gradient_check

    try:
        body = gradient_check(found.stored.experiment)
    except Failure as failure:
        body = paragraph(f"Not made. {failure}", "note")
    return Section("check", "Gradient check", body)


def others(found: Source, times: Sequence[Mapping[str, Any]]) -> Section | None:
    """Every other metric that was recorded, and the time it took."""
    body = other_figures(found.stored.metrics, times)
    if times:
        seconds = [float(line["seconds"]) for line in times]
        words = f"{statistics.median(seconds):.3g} s an epoch in the middle; the first compiles."
        body = paragraph(words) + body
    return Section("more", "More curves", body) if body else None


def config(found: Source) -> Section:
    """What was set, and under a fold all the rest."""
    experiment = found.stored.experiment
    chosen, whole = changed(experiment), flat(experiment)
    rest = {key: value for key, value in whole.items() if key not in chosen}
    body = _pairs(chosen) + folded(f"{len(rest)} keys at their defaults", _pairs(rest))
    return Section("config", "Config", body)


def environment(found: Source) -> Section | None:
    """Versions, machine, commit."""
    try:
        text = (found.stored.folder / "environment.json").read_text(encoding="utf-8")
        values = json.loads(text)
    except (OSError, ValueError):
        return None
    return Section("environment", "Environment", _pairs(values))


def _pairs(values: Mapping[str, Any]) -> str:
    return pairs({key: set_to(value) for key, value in values.items()})
