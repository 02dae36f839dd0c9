"""`list [DIR]`: the shipped configs, the demos, and the runs in a folder with their results."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from experiments.common.failures import ConfigError
from experiments.common.parser import Parser
from experiments.config.file import shipped
from experiments.lectures import demos
from experiments.training.stored import Stored, open_run


def main(words: list[str]) -> int:
    """Print them, and return 0."""
    about = "The shipped configs, the demos, and the runs in DIR (runs) with their results."
    parser = Parser("list", "[DIR]", about)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs"), metavar="DIR")
    folder = parser.parse_args(words).folder
    print(_names("configs", shipped()), _names("demos", demos.names()), sep="\n")
    if not folder.is_dir():
        print(f"no runs in {folder} yet")
        return 0
    for inner in sorted(folder.iterdir()):
        if row := _row(inner):
            print(row)
    print(folder)
    return 0


def _names(what: str, names: Sequence[str]) -> str:
    return textwrap.fill(f"{what}: {', '.join(names)}", 100, subsequent_indent="  ")


def _row(folder: Path) -> str:
    """A line about a run, or a sweep; nothing about a demo's folder and others."""
    if (folder / "sweep.json").exists():
        cells = [run for path in sorted(folder.glob("[0-9]*-*")) if (run := _opened(path))]
        done = sum(run.finished for run in cells)
        return f"  {folder.name:<24} {done} of {len(cells)} runs finished"
    run = _opened(folder)
    if run is None:
        return ""
    last = run.metrics[-1] if run.metrics else {}
    scores = [f"{name} {last[name]:.4f}" for name in last if name.startswith("test_")]
    state = [] if run.finished else ["unfinished"]
    epochs = f"{len(run.metrics)}/{run.experiment.train.epochs} epochs"
    return f"  {folder.name:<24} {'  '.join([epochs, *scores, *state])}"


def _opened(folder: Path) -> Stored | None:
    try:
        return open_run(folder)
    except ConfigError:
        return None
