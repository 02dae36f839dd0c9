"""`bench show FILE [NAME ...]`: what the run that wrote a file printed, without measuring.

FILE is what `bench --json` wrote, or the name of committed results, see `results`.
"""

from collections.abc import Sequence

from experiments.bench import record, table
from experiments.common.failures import ConfigError, did_you_mean
from experiments.common.parser import Parser


def main(words: list[str]) -> int:
    """Print it, and return 0. Raises ConfigError as `text` does."""
    print(text(words), end="")
    return 0


def text(words: Sequence[str]) -> str:
    """What the words ask for. Raises ConfigError for a file that is none of ours, or for a name
    not in it."""
    about = f"what a run of bench printed; committed: {', '.join(record.committed()) or 'none'}"
    parser = Parser("bench show", "FILE [NAME ...] [--goals] [--losses] [--tables]", about)
    parser.add_argument(
        "file", metavar="FILE", help="of bench --json, or the name of a committed one"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads, all by default")
    parser.add_argument("--goals", action="store_true", help="all goals in one table")
    parser.add_argument("--losses", action="store_true", help="all rivals that are faster")
    parser.add_argument("--tables", action="store_true", help="the workloads, by default")
    asked = parser.parse_args(words)
    found = record.read(record.find(asked.file))
    chosen = choose(found, asked.names)
    parts = [table.head(found)]
    if asked.goals:
        parts.append("\n".join(table.goals(chosen)))
    if asked.losses:
        parts.append("\n".join(table.all_losses(chosen)))
    if asked.tables or not (asked.goals or asked.losses):
        parts += map(table.body, chosen)
    return "\n\n".join(parts) + "\n"


def choose(found: record.Record, names: Sequence[str]) -> list[record.Record]:
    """The workloads of those names, in their order; all if there are none."""
    there = {workload["name"]: workload for workload in found["workloads"]}
    for name in names:
        if name not in there:
            hint = did_you_mean(name, there)
            raise ConfigError(f"no workload there is called '{name}'{hint}: {', '.join(there)}")
    return [there[name] for name in names or there]
