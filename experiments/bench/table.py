"""Outcomes and goals as tables, for people and as JSON."""

import statistics
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from experiments.bench.workload import Found, Goal, Outcome, Row, Workload, losses


def outcome_table(outcome: Outcome) -> Table:
    """A row for each contender; speeds are relative to the base, higher is faster."""
    keys = list(dict.fromkeys(key for row in outcome.rows for key in row.figures))
    timed = any(row.wall for row in outcome.rows)
    table = Table("", title=outcome.title, box=None, title_justify="left", title_style="bold")
    columns = ["wall ms", "median", "CPU ms", "median", "speed", "CPU speed"] if timed else []
    rate = [outcome.rate[1]] if outcome.rate and timed else []
    for name in columns + rate + keys:
        table.add_column(name, justify="right")
    for row in outcome.rows:
        cells = _times(outcome, row) if timed else []
        rates = [_rate(outcome, row)] if rate else []
        figures = [number(row.figures.get(key)) for key in keys]
        label = row.name if row.name == row.role else f"{row.name} ({row.role})"
        table.add_row(label, *cells, *rates, *figures)
    return table


def _times(outcome: Outcome, row: Row) -> list[str]:
    if not row.wall:
        return [""] * 6
    milliseconds = [
        number(1e3 * f(t)) for t in (row.wall, row.cpu) if t for f in (min, statistics.median)
    ]
    speeds = [outcome.speed(row.name, clock=clock) for clock in ("wall", "cpu")]
    return [*milliseconds, *[""] * (4 - len(milliseconds)), *map(number, speeds)]


def _rate(outcome: Outcome, row: Row) -> str:
    seconds = outcome.time(row.name)
    return f"{outcome.rate[0] / seconds:,.0f}" if outcome.rate and seconds else ""


def number(value: float | None) -> str:
    """Three digits that mean something; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def below(found: Found) -> list[str]:
    """Where we lose, in lines."""
    lost = [text for outcome in found.values() for text in losses(outcome)]
    return lost or ["nowhere here"]


def goal_table(goals: Sequence[tuple[Goal, float | None]]) -> Table:
    """Target, reached, and whether that is met."""
    table = Table("goal", "", title="Goals", box=None, title_justify="left", title_style="bold")
    for name in ("target", "reached", ""):
        table.add_column(name, justify="right")
    for goal, reached in goals:
        table.add_row(
            str(goal.number), goal.claim, goal.target, number(reached), verdict(goal, reached)
        )
    return table


def verdict(goal: Goal, reached: float | None) -> str:
    """met, missed, or not measured."""
    if reached is None:
        return "not measured"
    return "met" if goal.met(reached) else "missed"


def reached(workload: Workload, found: Found) -> list[tuple[Goal, float | None]]:
    """Each goal with what came of it."""
    return [(goal, goal.reach(found)) for goal in workload.goals]


def to_dict(name: str, workload: Workload, found: Found) -> dict[str, Any]:
    """Everything that was measured, for JSON."""
    return {
        "name": name,
        "title": workload.title,
        "meaning": workload.meaning,
        "cases": [outcome_dict(outcome) for outcome in found.values()],
        "losses": [text for outcome in found.values() for text in losses(outcome)],
        "goals": [
            goal._asdict() | {"reach": value, "verdict": verdict(goal, value)}
            for goal, value in reached(workload, found)
        ],
    }


def outcome_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome as `outcome_of` reads it."""
    return outcome._asdict() | {"rows": [row._asdict() for row in outcome.rows]}


def outcome_of(found: dict[str, Any]) -> Outcome:
    """The outcome that `outcome_dict` wrote."""
    rows = [Row(**row) for row in found["rows"]]
    return Outcome(found["title"], rows, found["clock"], found["rate"])
