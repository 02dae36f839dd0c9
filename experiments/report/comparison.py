"""Runs side by side: what differs between their configs, and how well they did."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments.common.failures import ConfigError, Failure
from experiments.config.flat import changed, differing, flat
from experiments.report.words import number, scored, set_to
from experiments.training import history
from experiments.training.display import score_of
from experiments.training.stored import Stored, open_run


class Comparison(NamedTuple):
    """Runs, the best first, as a table: a row each, under `head`; and what to know about them."""

    runs: Sequence[Stored]
    names: Sequence[str]
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: Sequence[str]


def open_runs(folders: Sequence[Path]) -> list[Stored]:
    """The runs in these folders, each a run or a folder of runs. Raises ConfigError, naming those
    that are neither, and for fewer than two runs."""
    paths, wrong = [], []
    for folder in folders:
        inside = _runs_in(folder)
        paths += inside
        if not inside:
            what = "not a run, and no runs in it" if folder.is_dir() else "no such folder"
            wrong.append(f"  {folder}: {what}")
    if wrong:
        raise ConfigError(
            "\n".join(["expected folders of runs, such as runs/0001-digits:", *wrong])
        )
    unique = {path.resolve(): path for path in paths}
    if len(unique) < 2:
        raise ConfigError(f"expected two or more runs to compare, got {len(unique)}")
    return [open_run(path) for path in unique.values()]


def _runs_in(folder: Path) -> list[Path]:
    is_run = (folder / "config.toml").exists() and not (folder / "sweep.json").exists()
    if is_run or not folder.is_dir():
        return [folder] if is_run else []
    return sorted(inner for inner in folder.iterdir() if (inner / "config.toml").exists())


def comparison(runs: Sequence[Stored]) -> Comparison:
    """The runs by what the config monitors, at its best epoch; those without an epoch come last."""
    begun = [run for run in runs if run.metrics]
    parts = {history.selection(run.metrics[-1]) for run in begun}
    part = "train" if "train" in parts else "validation"
    monitors = {run.experiment.train.monitor for run in runs}
    monitor = monitors.pop() if len(monitors) == 1 else "loss"
    configs = {id(run): flat(run.experiment) for run in runs}
    ranks = {id(run): _watched(run, part, monitor) for run in runs}
    ordered = sorted(runs, key=lambda run: min(ranks[id(run)], default=float("inf")))
    keys = _keys(ordered)
    names, rows = _names(ordered), []
    for name, run in zip(names, ordered, strict=True):
        values = [set_to(configs[id(run)][k]) if k in configs[id(run)] else "" for k in keys]
        rows.append([name, *values, *_results(run, part, monitor, ranks[id(run)])])
    kinds = {score_of(run.metrics[-1]) for run in begun}
    score = kinds.pop() if len(kinds) == 1 else "score"
    head = ["run", *keys, "epochs", f"{part} {monitor}", "best", "at epoch", "test loss"]
    return Comparison(ordered, names, [*head, f"test {score}"], rows, _remarks(ordered, keys))


def _keys(runs: Sequence[Stored]) -> list[str]:
    """The keys that differ, without the defaults that only follow from a differing `kind`."""
    chosen = {key for run in runs for key in changed(run.experiment)}
    differ = differing([flat(run.experiment) for run in runs])
    return [key for key in differ if key in chosen and key != "name"]


def _watched(run: Stored, part: str, monitor: Any) -> list[float]:
    train = dataclasses.replace(run.experiment.train, monitor=monitor)
    return [history.watched(train, part, line) for line in run.metrics]


def _results(run: Stored, part: str, monitor: str, values: Sequence[float]) -> list[str]:
    """Epochs, the monitored number at the end and at its best, the test at the end."""
    done, asked = len(run.metrics), run.experiment.train.epochs
    if not done:
        return [f"0 of {asked}", *[""] * 5]
    last, top = run.metrics[-1], run.metrics[history.best(values)]
    score = score_of(last)
    monitored = [
        scored(monitor, line.get(f"{part}_{monitor}", line["objective"])) for line in (last, top)
    ]
    epochs = str(done) if run.finished or done == asked else f"{done} of {asked}"
    tested = [number(last["test_loss"]), scored(score, last[f"test_{score}"])]
    return [epochs, *monitored, str(top["epoch"]), *tested]


def _names(runs: Sequence[Stored]) -> list[str]:
    """The names of the folders; where those are not all different, their paths."""
    names = [run.folder.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.folder) for run in runs]


def _remarks(runs: Sequence[Stored], keys: Sequence[str]) -> list[str]:
    found = [] if keys else ["No key differs between the configs."]
    if any(key.startswith("model.loss.") for key in keys):
        found.append("The losses are different functions: only the scores can be compared.")
    if len({_fingerprint(run) for run in runs} - {None}) > 1:
        found.append(
            "The runs did not all learn from and were not all tested on the same examples."
        )
    return found


def _fingerprint(run: Stored) -> str | None:
    try:
        return run.description["fingerprint"]
    except Failure:  # not begun
        return None


def overlaid(runs: Sequence[Stored], names: Sequence[str]) -> Mapping[str, Any]:
    """{"validation loss": {name of a run: (epochs, values)}, ...} for losses and scores."""
    found: dict[str, Any] = {}
    for kind in ("loss", "accuracy", "r2"):
        for part in ("train", "validation", "test"):
            key = f"{part}_{kind}"
            for name, run in zip(names, runs, strict=True):
                points = [
                    (line["epoch"], line[key])
                    for line in run.metrics
                    if isinstance(line.get(key), int | float)
                ]
                if points:
                    epochs, values = zip(*points, strict=True)
                    found.setdefault(f"{part} {kind}", {})[name] = (epochs, values)
    return found


def default_path(folders: Sequence[Path], runs: Sequence[Stored]) -> Path:
    """Where a comparison goes: into the one folder that was given, else beside the first run, under
    the numbers of all."""
    if len(folders) == 1:
        return folders[0] / "compare.html"
    names = sorted(run.folder.resolve().name for run in runs)
    numbers = [found[0] if (found := re.match(r"\d+", name)) else name for name in names]
    which = "-".join(numbers) if len(numbers) <= 4 else f"{numbers[0]}-to-{numbers[-1]}"
    return folders[0].parent / f"compare-{which}.html"
