"""The equations of the notes, run as they stand and judged, as a run of its own."""

from pathlib import Path

from experiments.lectures.derivations.table import show


def run(folder: Path) -> None:
    """Print the tables and write them into the folder, as derivations.txt."""
    (folder / "derivations.txt").write_text(show(), encoding="utf-8")
