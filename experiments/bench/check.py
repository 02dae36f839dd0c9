"""`bench check`: planted mistakes, right code, and other gradient checkers beside ours.

Bars: every mistake caught in float64 and float32 at every seed, its place named, its cause for 80 %
of those that have a recognisable one; no alarm for right code in any precision; no other checker
catches as large a share. The exit status is 1 below a bar. Progress goes to stderr.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from experiments.bench import tally
from experiments.bench.mistakes import models
from experiments.bench.mistakes.model import Model
from experiments.bench.peers import Row, peers, rows
from experiments.bench.planted import (
    DTYPES,
    JUDGED,
    Alarms,
    Score,
    alarms,
    is_scalar,
    judge,
    second_order,
)
from experiments.common.failures import ConfigError, did_you_mean
from experiments.common.parser import Parser, count
from experiments.common.runs import write_json

_USAGE = "[--seeds N] [--false-alarms N] [--only MODEL,...] [--peers] [--json FILE]"


def main(words: Sequence[str]) -> int:
    """Run, print, and return 1 below a bar. Raises ConfigError for a model there is not."""
    asked = _parse(words)
    chosen = select(asked.only)
    seeds, console = tuple(range(asked.seeds)), Console(width=120)
    scores, found = measure(chosen, seeds, tuple(range(asked.false_alarms)))
    for model in chosen:
        alarms_of = tally.right_code([one for one in found if one.model == model.name])
        right = ", ".join(f"{dtype} {part} of {runs}" for dtype, part, runs in alarms_of)
        console.print(f"{model.name}: alarms for right code {right}", highlight=False)
        console.print(table([one for one in scores if one.model == model.name]), "")
    beside = compare(chosen, seeds) if asked.peers else []
    lines = tally.summary(scores, found, beside)
    if beside:
        console.print(peer_table(scores, beside), "")
    for line in lines:
        console.print(line.text, highlight=False)
    if asked.json:
        write_json(asked.json, tally.to_dict(scores, found, beside))
    return 0 if all(line.ok for line in lines) else 1


def _parse(words: Sequence[str]) -> Any:
    parser = Parser("bench check", _USAGE, "how good the gradient checker is")
    parser.add_argument("--seeds", type=count, default=5, help="draws for each mistake")
    parser.add_argument("--false-alarms", type=count, default=200, help="draws of right code")
    parser.add_argument("--only", help="names of models, with commas between")
    parser.add_argument("--peers", action="store_true", help="run other checkers as well")
    parser.add_argument("--json", type=Path, help="write everything into this file")
    return parser.parse_args(words)


def select(only: str | None) -> tuple[Model, ...]:
    """The models of those names; all if none are given."""
    known = {model.name: model for model in models()}
    names = only.split(",") if only else list(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, list(known))
            raise ConfigError(f"no model is called '{name}'{hint}\n  models: {', '.join(known)}")
    return tuple(known[name] for name in names)


def measure(
    chosen: Sequence[Model], seeds: tuple[int, ...], right: tuple[int, ...]
) -> tuple[list[Score], list[Alarms]]:
    """The scores of all mistakes, and the alarms of right code."""
    scores: list[Score] = []
    found: list[Alarms] = []
    for model in chosen:
        for dtype in DTYPES:
            _say(f"{model.name}: right code in {dtype}")
            found += alarms(model, right, (dtype,))
            if is_scalar(model):
                found += alarms(model, right, (dtype,), by=second_order)
        for mistake in model.mistakes:
            _say(f"{model.name}: {mistake.number} {mistake.name}")
            scores.append(judge(model, mistake, seeds))
        jax.clear_caches()  # the programs of a model are of no use to the next
    return scores, found


def compare(chosen: Sequence[Model], seeds: tuple[int, ...]) -> list[Row]:
    """The other checkers on the same mistakes at the same seeds."""
    found = []
    for peer in peers():
        for model in chosen:
            _say(f"{peer.name}: {model.name}")
            found += rows(peer, model, seeds)
            jax.clear_caches()
    return found


def table(scores: Sequence[Score]) -> Table:
    """The mistakes of one model; a star marks a cause that a report has to name."""
    shown = Table(box=None)
    shown.add_column("row", justify="right")
    for name in ("mistake", *JUDGED, "place", "cause"):
        shown.add_column(name)
    for one in scores:
        shown.add_row(str(one.mistake.number), one.mistake.name, *_cells(one))
    return shown


def _cells(one: Score) -> list[str]:
    if one.mistake.equivalent:
        return ["", "", "", f"no mistake: {one.mistake.equivalent}"]
    runs = [f"{sum(one.caught[d])} of {len(one.caught[d])}" for d in JUDGED]
    place = "right" if one.place_right else f"{one.place or 'none'}, not {one.mistake.place}"
    cause = one.cause or "none"
    if one.cause_right is False:
        cause += f", not {one.mistake.cause}"
    return [*runs, place, cause + (" *" if one.mistake.cause else "")]


def peer_table(scores: Sequence[Score], beside: Sequence[Row]) -> Table:
    """Ours first, then the others."""
    shown = Table("checker", box=None)
    for name in ("runs caught", "mistakes caught at every seed", "alarms for right code"):
        shown.add_column(name, justify="right")
    found = {f"jaxnn.check {d}": (tally.ours(scores, d), None) for d in JUDGED}
    for name, (mistakes, right) in (found | tally.theirs(beside)).items():
        alarms = f"{right.caught} of {right.runs}" if right else ""
        always = f"{mistakes.always} of {mistakes.mistakes}"
        shown.add_row(name, f"{mistakes.share:.1%}", always, alarms)
    return shown


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
