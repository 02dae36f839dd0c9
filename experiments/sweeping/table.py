"""The table that a sweep ends with: on the screen, in table.txt, and in results.json."""

import io
import json
import math
from typing import Any

from rich.console import Console
from rich.table import Table

from experiments.common.runs import write_json, write_whole
from experiments.sweeping.display import Display
from experiments.sweeping.grid import varying, word
from experiments.sweeping.ranking import (
    Metric,
    Result,
    Setting,
    ranked_settings,
    results,
    score_name,
)
from experiments.sweeping.record import Sweep
from experiments.training.display import shown

_TITLES = {"r2": "R2"}


def show(sweep: Sweep, metric: Metric, display: Display, seconds: float) -> None:
    """Rank the cells, write the two files, and print the table and the folder."""
    found = results(sweep, metric)
    score = score_name(metric, next((r.metrics for r in found if r.metrics), {}))
    settings = ranked_settings(sweep, found, metric)
    several = len(settings) < len(found)
    write_json(sweep.folder / "results.json", _plain(sweep, metric, found, settings))
    tables = [_settings(sweep, settings, metric, score)] if several else []
    tables.append(_runs(sweep, found, metric, score))
    said = _remarks(sweep, metric, found)
    text = io.StringIO()
    for console in (Console(file=text, width=200), display.console):
        if console is display.console and display.how == "json":
            continue
        for table in tables:
            console.print(table)
            console.print()
        for line in said:
            console.print(line, highlight=False, soft_wrap=True)
    write_whole(sweep.folder / "table.txt", text.getvalue().encode())
    if display.how == "json":
        best = None if found[0].diverged else found[0].cell.name
        end = {"best": best, "folder": str(sweep.folder), "seconds": round(seconds, 1)}
        print(json.dumps(end), flush=True)
    display.say(f"{sweep.folder}  ({len(found)} runs, {seconds:.1f} s)")


def _runs(sweep: Sweep, found: list[Result], metric: Metric, score: str) -> Table:
    keys = varying(sweep.cells)
    table = _empty(["run", *keys, "epochs"], metric, score)
    for result in found:
        values = [word(result.cell.values[key]) for key in keys]
        row = [result.cell.name, *values, str(result.epochs)]
        if result.diverged:
            table.add_row(*row, "diverged")
            continue
        loss, kept = result.value(f"{metric.part}_loss"), result.value(f"{metric.part}_{score}")
        table.add_row(*row, shown("loss", loss), shown(score, kept), shown(score, result.best))
    return table


def _settings(sweep: Sweep, settings: list[Setting], metric: Metric, score: str) -> Table:
    keys = [key for key in varying(sweep.cells) if key != "seed"]
    table = _empty([*keys, "seeds"], metric, score)
    for setting in settings:
        values = [word(setting.results[0].cell.values[key]) for key in keys]
        lost = sum(result.diverged for result in setting.results)
        count = f"{len(setting.results)}, {lost} diverged" if lost else str(len(setting.results))
        spreads = [
            _spread(kind, *setting.spread(key))
            for kind, key in (
                ("loss", f"{metric.part}_loss"),
                (score, f"{metric.part}_{score}"),
                (score, "best"),
            )
        ]
        table.add_row(*values, count, *spreads)
    return table


def _empty(first: list[str], metric: Metric, score: str) -> Table:
    title = _TITLES.get(score, score)
    table = Table(box=None)
    for name in [*first, "loss", title, f"best {title}"]:
        table.add_column(name, justify="left" if name == "run" else "right")
    return table


def _spread(kind: str, mean: float, deviation: float) -> str:
    if math.isnan(mean):
        return ""
    return shown(kind, mean) + ("" if math.isnan(deviation) else f" ± {shown(kind, deviation)}")


def _remarks(sweep: Sweep, metric: Metric, found: list[Result]) -> list[str]:
    """What the table does not say by itself."""
    lines = [f"ranked by {metric.part} {_TITLES.get(metric.name, metric.name)}"]
    if metric.part == "test":
        lines[0] += (
            ": a choice by test scores makes them too good; "
            "hold examples back for it, with --data.validation_fraction 0.2"
        )
    if lost := [result.cell for result in found if result.diverged]:
        place = sweep.place(lost[0])
        lines.append(f"where one diverged: python -m experiments resume {place}")
    return lines


def _plain(
    sweep: Sweep, metric: Metric, found: list[Result], settings: list[Setting]
) -> dict[str, Any]:
    cells = [
        {
            "run": result.cell.name,
            "values": result.cell.values,
            "epochs": result.epochs,
            "diverged": result.diverged,
            "metrics": result.metrics,
        }
        for result in found
    ]
    keys = [key for key in found[0].metrics if key.startswith(metric.part)]
    rows = [
        {
            "values": {k: v for k, v in s.results[0].cell.values.items() if k != "seed"},
            "runs": [result.cell.name for result in s.results],
            "mean": {key: s.spread(key)[0] for key in keys},
            "std": {key: s.spread(key)[1] for key in keys} if len(s.results) > 1 else {},
        }
        for s in settings
    ]
    return {"by": metric.key, "folder": sweep.folder.name, "settings": rows, "cells": cells}
