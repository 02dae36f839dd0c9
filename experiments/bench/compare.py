"""`bench compare a.json b.json`: the speeds and memory of two runs of `bench --json`, row by row.

A ratio above 1 means that b is faster beside the baseline of its own run than a was, so that a
faster machine alone moves no ratio much. Memory is b's over a's.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from experiments.bench import table
from experiments.bench.workload import Outcome, ratio
from experiments.commands.words import Parser
from experiments.config_problems import ConfigError

_SAME = ("processor", "cores", "backend", "device", "versions", "settings")


class Pair(NamedTuple):
    """One row of both runs: (a, b) of the speeds and of the temporary memory in MB."""

    place: tuple[str, str, str]
    speeds: tuple[float | None, float | None]
    memory: tuple[float | None, float | None]


def main(words: list[str]) -> int:
    """Print the rows that both files have. Raises ConfigError for a file that is none of ours."""
    parser = Parser("bench compare", "A.json B.json", "what changed between two runs of bench")
    parser.add_argument("files", type=Path, nargs=2, metavar="FILE", help="of bench --json")
    a, b = (read(path) for path in parser.parse_args(words).files)
    console = Console(width=140)
    for note in notes(a, b):
        console.print(note, highlight=False, soft_wrap=True)
    console.print(pair_table(pairs(a, b)))
    return 0


def read(path: Path) -> dict[str, Any]:
    """What `bench --json` wrote."""
    try:
        found = json.loads(path.read_text())
        outcomes(found)
        found["machine"]["processor"]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path}: expected what `bench --json FILE` writes, got something else"
        ) from None
    return found


def outcomes(found: dict[str, Any]) -> dict[tuple[str, str], Outcome]:
    """By name of the workload and title of the case."""
    return {
        (workload["name"], case["title"]): table.outcome_of(case)
        for workload in found["workloads"]
        for case in workload["cases"]
    }


def notes(a: dict[str, Any], b: dict[str, Any]) -> list[str]:
    """What makes the two runs hard to compare."""
    said = []
    for key in _SAME:
        one, other = a["machine"].get(key), b["machine"].get(key)
        if one != other:
            said.append(f"note: not the same {key}, {one} and {other}: ratios may mean the machine")
    if a["settings"].get("quick") or b["settings"].get("quick"):
        said.append("note: a --quick run is among them; its times mean nothing")
    return said


def pairs(a: dict[str, Any], b: dict[str, Any]) -> Iterator[Pair]:
    """The rows of both runs, in the order of b."""
    before = outcomes(a)
    for (workload, title), after in outcomes(b).items():
        earlier = before.get((workload, title))
        for row in after.rows:
            if earlier is None or earlier.row(row.name) is None:
                continue
            speeds = earlier.speed(row.name), after.speed(row.name)
            memory = earlier.figure(row.name, "temp MB"), after.figure(row.name, "temp MB")
            yield Pair((workload, title, row.name), speeds, memory)


def pair_table(found: Iterator[Pair]) -> Table:
    """Speeds beside the baseline, memory, and their ratios."""
    shown = Table("workload", "case", "", box=None)
    for name in ("speed a", "speed b", "b / a", "temp MB a", "temp MB b", "b / a"):
        shown.add_column(name, justify="right")
    for place, speeds, memory in found:
        numbers = (*speeds, ratio(*reversed(speeds)), *memory, ratio(*reversed(memory)))
        shown.add_row(*place, *map(table.number, numbers))
    return shown
