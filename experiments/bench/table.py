"""The text of `bench`, from the plain data of `record`: whether just measured or read again."""

import statistics
import textwrap
from collections.abc import Iterator, Sequence

from experiments.bench import machine
from experiments.bench.record import Record, outcome_of
from experiments.bench.workload import Outcome, Row, standing

WIDTH = 100  # of sentences; no table is much wider
_HOW = (
    "Times are of one call, the least and the median of its bursts, by the clock (wall) and of all "
    "cores (CPU). Speeds are relative to the idiomatic autodiff, or to our first row where there "
    "is none. Numbers in brackets are how many times as fast ours is. Speeds, goals and rates use "
    "{clock} time. temp MB is what XLA reserves besides arguments and results; compile s and "
    "import ms are CPU time."
)
_QUICK = "--quick: a pass to see that everything runs; quote none of these figures"
_CLOCKS = {"wall": "wall", "cpu": "CPU"}
_SHORT = {"compile CPU s": "compile s", "import CPU ms": "import ms"}


def head(record: Record) -> str:
    """The machine, and how to read the tables."""
    facts = record["machine"]
    how = _HOW.format(clock=_CLOCKS[machine.clock(facts["backend"], facts["cores"])])
    notes = [_QUICK] if record["settings"]["quick"] else []
    return "\n".join([*(_wrapped(line) for line in machine.lines(facts)), _wrapped(how), *notes])


def body(workload: Record) -> str:
    """A workload: what it means, its tables, where we lose, goals, how busy the machine was."""
    found = _outcomes(workload)
    parts = [
        [f"{workload['name']}: {workload['title']}", _wrapped(workload["meaning"])],
        *(list(outcome_lines(outcome)) for outcome in found),
        ["Where we lose:", *losses(found)],
        *([["Goals", *goals([workload])]] if workload["goals"] else []),
        [machine.busy(workload["load"], workload["others"])],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _outcomes(workload: Record) -> list[Outcome]:
    return [outcome_of(case) for case in workload["cases"]]


def _wrapped(text: str, indent: str = "") -> str:
    hanging = 2 * indent
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False
    )


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Title, a row for each contender, and a sentence; speeds are relative to the base."""
    keys = list(dict.fromkeys(key for row in outcome.rows for key in row.figures))
    timed = any(row.wall for row in outcome.rows)
    speed = f"{_CLOCKS[outcome.clock]} speed"
    columns = ["wall ms", "median", "CPU ms", "median", speed] if timed else []
    rate = [outcome.rate[1]] if outcome.rate and timed else []
    rows = []
    for row in outcome.rows:
        label = row.name if row.role in (row.name, "derived") else f"{row.name} ({row.role})"
        times = _times(outcome, row) if timed else []
        rates = [_rate(outcome, row)] if rate else []
        rows.append([label, *times, *rates, *(number(row.figures.get(key)) for key in keys)])
    yield outcome.title
    yield from grid(["", *columns, *rate, *(_SHORT.get(key, key) for key in keys)], rows)
    if said := sentence(outcome):
        yield _wrapped(said)


def _times(outcome: Outcome, row: Row) -> list[str]:
    clocks = (row.wall, row.cpu) if row.wall and row.cpu else ()
    milliseconds = [1e3 * f(times) for times in clocks for f in (min, statistics.median)]
    return list(map(number, [*(milliseconds or [None] * 4), outcome.speed(row.name)]))


def _rate(outcome: Outcome, row: Row) -> str:
    seconds = outcome.time(row.name)
    return f"{outcome.rate[0] / seconds:,.0f}" if outcome.rate and seconds else ""


def sentence(outcome: Outcome) -> str:
    """Whom ours, the first of that role, is faster than, level with and slower than."""
    ours = outcome.row("ours")
    said = [f"{word} {_names(found)}" for word, found in standing(outcome).items() if found]
    return f"{ours.name} is {'; '.join(said)}." if ours and said else ""


def losses(outcomes: Sequence[Outcome]) -> list[str]:
    """A line for each outcome with rivals that ours is slower than."""
    found = [(outcome.title, standing(outcome)["slower than"]) for outcome in outcomes]
    lines = [f"{title}: {_names(slower)}" for title, slower in found if slower]
    return [_wrapped(line, "  ") for line in lines or ["nowhere here"]]


def all_losses(workloads: Sequence[Record]) -> list[str]:
    """The losses of each workload below its name."""
    groups = [[workload["name"], *losses(_outcomes(workload))] for workload in workloads]
    return ["Where we lose:", *(line for group in groups for line in group)]


def _names(found: Sequence[tuple[str, float]]) -> str:
    """In brackets, how many times as fast ours is."""
    return ", ".join(f"{name} ({number(speed)})" for name, speed in found)


def number(value: float | None) -> str:
    """Three digits that mean something; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def goals(workloads: Sequence[Record]) -> list[str]:
    """Each goal with its target, what was reached, and whether that is met."""
    found = [goal for workload in workloads for goal in workload["goals"]]
    rows = [
        [str(goal["number"]), goal["claim"], goal["target"], number(goal["reach"]), goal["verdict"]]
        for goal in sorted(found, key=lambda goal: goal["number"])
    ]
    return grid(["goal", "", "target", "reached", ""], rows, left=2)


def grid(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Columns two spaces apart, the first ones flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = list(zip(cells, widths, strict=True))
        first = [cell.ljust(width) for cell, width in pairs[:left]]
        return "  ".join([*first, *(cell.rjust(width) for cell, width in pairs[left:])]).rstrip()

    return [line(cells) for cells in (header, *rows)]
