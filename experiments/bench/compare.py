"""`bench compare a.json b.json`: the speeds and memory of two runs of `bench --json`, row by row.

A ratio above 1 means that b is faster beside the baseline of its own run than a was, so that a
faster machine alone moves no ratio much. Memory is b's over a's.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from experiments.bench import record, table
from experiments.bench.workload import ratio
from experiments.common.parser import Parser

_SAME = ("processor", "cores", "backend", "device", "versions", "settings")


class Pair(NamedTuple):
    """One row of both runs: (a, b) of the speeds and of the temporary memory in MB."""

    place: tuple[str, str, str]
    speeds: tuple[float | None, float | None]
    memory: tuple[float | None, float | None]


def main(words: list[str]) -> int:
    """Print the rows that both files have. Raises ConfigError for a file that is none of ours."""
    parser = Parser("bench compare", "A.json B.json", "what changed between two runs of bench")
    parser.add_argument(
        "files", nargs=2, metavar="FILE", help="of bench --json, or a committed name"
    )
    a, b = (record.read(record.find(word)) for word in parser.parse_args(words).files)
    print(*notes(a, b), *pair_table(pairs(a, b)), sep="\n")
    return 0


def notes(a: record.Record, b: record.Record) -> list[str]:
    """What makes the two runs hard to compare."""
    said = []
    for key in _SAME:
        one, other = a["machine"].get(key), b["machine"].get(key)
        if one != other:
            said.append(f"note: not the same {key}, {one} and {other}: ratios may mean the machine")
    if a["settings"].get("quick") or b["settings"].get("quick"):
        said.append("note: a --quick run is among them; its times mean nothing")
    return said


def pairs(a: record.Record, b: record.Record) -> Iterator[Pair]:
    """The rows of both runs, in the order of b."""
    before = record.outcomes(a)
    for (workload, title), after in record.outcomes(b).items():
        earlier = before.get((workload, title))
        for row in after.rows:
            if earlier is None or earlier.row(row.name) is None:
                continue
            speeds = earlier.speed(row.name), after.speed(row.name)
            memory = earlier.figure(row.name, "temp MB"), after.figure(row.name, "temp MB")
            yield Pair((workload, title, row.name), speeds, memory)


def pair_table(found: Iterable[Pair]) -> list[str]:
    """Speeds beside the baseline, memory, and their ratios."""
    header = ["workload", "case", "", "speed a", "speed b", "b / a", "MB a", "MB b", "b / a"]
    rows = []
    for place, speeds, memory in found:
        numbers = (*speeds, ratio(*reversed(speeds)), *memory, ratio(*reversed(memory)))
        rows.append([*place, *map(table.number, numbers)])
    return table.grid(header, rows, left=3)
