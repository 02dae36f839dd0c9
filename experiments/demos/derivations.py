"""The equations of the notes, run as they stand and judged: `experiments.derivations` as a run."""

from pathlib import Path

from experiments.derivations.table import show


def run(folder: Path) -> None:
    """Print the tables and write them into the folder, as derivations.txt."""
    (folder / "derivations.txt").write_text(show(), encoding="utf-8")
