"""Data of the user's own: a table, an archive of arrays, or a folder of images, told by its path.

A relative path is relative to the folder that the command is started in, in a config as on the
command line.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from experiments.data import arrays, images, tabular
from experiments.data.dataset import DataError
from experiments.data.parts import Examples

if TYPE_CHECKING:
    from experiments.config.data import Data

Kind = Literal["table", "arrays", "images"]
_KINDS: dict[str, Kind] = {".csv": "table", ".tsv": "table", ".npz": "arrays"}


def examples(section: "Data") -> Examples:
    """Return the examples at the path of a config. Raises DataError if they cannot be had."""
    path, test_path = locate(section.path or "", "data.path"), None
    kind = kind_of(path)
    if section.test_path is not None:
        test_path = locate(section.test_path, "data.test_path")
        if kind_of(test_path) != kind:
            raise DataError(f"data.test_path: expected the form of {path}, got {test_path}")
    if kind == "table":
        return tabular.examples(section, path, test_path)
    if kind == "arrays":
        return arrays.examples(path, test_path, section.task)
    if section.task == "regression":
        raise DataError(f"data.task: a folder of images has classes, not amounts (got {path})")
    return images.examples(path, test_path)


def locate(path: str, key: str) -> Path:
    """The path, with ~ for the home folder. Raises DataError if there is nothing."""
    found = Path(path).expanduser()
    if not found.exists():
        raise DataError(f"{key}: no such file or folder: {path} (looked for {found.absolute()})")
    return found


def kind_of(path: Path) -> Kind:
    """What is at the path. Raises DataError if it is none of the three."""
    if path.is_dir():
        return "images"
    if path.suffix.lower() not in _KINDS:
        raise DataError(
            f"{path}: expected a .csv, .tsv or .npz file, or a folder of images, got "
            f"{path.suffix or 'a file without an ending'!r}"
        )
    return _KINDS[path.suffix.lower()]
