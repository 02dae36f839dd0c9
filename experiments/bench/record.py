"""What a run of `bench` found, as plain data: what `--json` writes and all that is printed.

    machine     facts, the same in every run here, see `machine`
    settings    of `workload.Settings`
    workloads   of each: name, title, meaning, load before, share of the cores that others used,
                cases (an `Outcome` each) and goals, with what was reached

Numbers are rounded before anything is printed, so that a file shows what its run has shown.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.bench.workload import Found, Goal, Outcome, Row, Workload
from experiments.common.failures import ConfigError, did_you_mean
from experiments.common.runs import write_whole

FOLDER = Path(__file__).parent / "results"
_PARTS = ("name", "title", "meaning", "load", "others", "cases", "goals")
_FACTS = ("processor", "cores", "system", "python", "backend", "device", "versions", "libc")
Record = dict[str, Any]


def committed() -> list[str]:
    """The names of the files in `results`."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def find(word: str) -> Path:
    """The file that a word means: a path, or the name of committed results."""
    if "/" in word or word.endswith(".json"):
        return Path(word)
    if word not in committed():
        hint = did_you_mean(word, committed())
        raise ConfigError(
            f"no committed results are called '{word}'{hint}\n"
            f"  committed: {', '.join(committed()) or 'none'}\n"
            "  any other file: a path that ends in .json"
        )
    return FOLDER / f"{word}.json"


def read(path: Path) -> Record:
    """What `bench --json` wrote. Raises ConfigError for a file that is none of those."""
    try:
        found = json.loads(path.read_text())
        outcomes(found)
        _ = [workload[part] for workload in found["workloads"] for part in _PARTS]
        _ = [found["machine"][fact] for fact in (*_FACTS, "settings")]
        _ = [found["settings"][name] for name in ("quick", "seed")]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{path}: expected what `bench --json FILE` writes, got something else"
        ) from None
    return found


def write(path: Path, record: Record) -> None:
    """A line for each list of numbers, so that the file is short and its changes can be read."""
    text = json.dumps(record, indent=1)
    flat = re.sub(r"\[\s[^][{}]*\]", lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    write_whole(path, f"{flat}\n".encode())


def outcomes(record: Record) -> dict[tuple[str, str], Outcome]:
    """By name of the workload and title of the case."""
    return {
        (workload["name"], case["title"]): outcome_of(case)
        for workload in record["workloads"]
        for case in workload["cases"]
    }


def case_of(outcome: Outcome) -> Record:
    """An outcome as plain data: seconds with four digits, figures with six."""
    rows = [
        row._asdict()
        | {clock: [_rounded(t, 4) for t in getattr(row, clock)] for clock in ("wall", "cpu")}
        | {"figures": {key: _rounded(value, 6) for key, value in row.figures.items()}}
        for row in outcome.rows
    ]
    return outcome._asdict() | {"rows": rows}


def outcome_of(case: Record) -> Outcome:
    """The outcome that `case_of` made plain."""
    rows = [Row(**row) for row in case["rows"]]
    return Outcome(case["title"], rows, case["clock"], case["rate"], case["ms"])


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def workload_of(name: str, workload: Workload, cases: Sequence[Record], **busy: Any) -> Record:
    """A workload with its cases; the goals go by what these say. `busy`: load and others."""
    found = Found({case["title"]: outcome_of(case) for case in cases})
    goals = [goal_of(goal, goal.reach(found)) for goal in workload.goals]
    about = {"name": name, "title": workload.title, "meaning": workload.meaning}
    return about | busy | {"cases": list(cases), "goals": goals}


def goal_of(goal: Goal, reached: float | None) -> Record:
    """A goal with what came of it: met, missed, or not measured."""
    verdict = "not measured"
    if reached is not None:
        reached = _rounded(reached, 6)
        verdict = "met" if goal.met(reached) else "missed"
    return goal._asdict() | {"reach": reached, "verdict": verdict}


def place(name: str, goals: Iterable[int]) -> tuple[int, str]:
    """Where a workload stands among the others: those of the first goals first."""
    return min(goals, default=99), name


def check_same(path: Path, earlier: Record, now: Record) -> None:
    """Raise ConfigError unless both are of one machine, with the same versions and settings."""
    pairs = [
        (key, earlier[part].get(key), value)
        for part in ("machine", "settings")
        for key, value in now[part].items()
    ]
    other = [
        f"  {key}: expected {old}, as there, got {new}" for key, old, new in pairs if old != new
    ]
    if other:
        raise ConfigError(
            f"{path}: cannot --add to results of another machine or of other settings\n"
            + "\n".join([*other, "  name another file, or measure everything without --add"])
        )


def added(earlier: Record, now: Record) -> Record:
    """The workloads of both, where both have one that of now, in the order of the goals."""
    found = {w["name"]: w for record in (earlier, now) for w in record["workloads"]}
    order = sorted(found, key=lambda n: place(n, (g["number"] for g in found[n]["goals"])))
    return now | {"workloads": [found[name] for name in order]}
