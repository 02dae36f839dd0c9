"""`--help`: the commands, and what they can be given."""

from experiments import bench
from experiments.commands import COMMANDS, USAGE
from experiments.config.file import shipped
from experiments.lectures import demos


def main(words: list[str]) -> int:
    """Print it, whatever the words, and return 0."""
    lines = [USAGE, ""]
    lines += [f"  {name:<9} {about}" for name, about in COMMANDS.items()]
    lines += ["", "python -m experiments COMMAND --help tells more of each.", ""]
    lines += [f"configs: {', '.join(shipped())}", f"demos:   {', '.join(demos.names())}"]
    lines += [f"benches: {', '.join(bench.NAMES)}"]
    print(*lines, sep="\n")
    return 0
