"""How much is read at most: a file that claims to be larger is refused before it is.

The limits keep a mistaken path or a hostile archive from filling the memory. They are module
variables, to be raised by those who have the memory.
"""

from pathlib import Path

from experiments.data.dataset import DataError

TABLE_BYTES = 2 * 2**30
"""Of a .csv or .tsv file."""
ARRAY_BYTES = 8 * 2**30
"""Of all arrays in a file, of all images in a folder, of the features made from a table."""
MOST_TEXTS = 1000
"""Of the different texts in a column, and so of its categories, and of the classes."""


def check_arrays(where: str | Path, what: str, size: int) -> None:
    """Raise DataError if `what`, out of `where`, takes more than ARRAY_BYTES."""
    if size > ARRAY_BYTES:
        raise DataError(
            f"{where}: {what} would take {in_words(size)}, the limit is {in_words(ARRAY_BYTES)}; "
            "use fewer examples, or smaller ones"
        )


def check_table(path: Path) -> None:
    """Raise DataError if the file is larger than TABLE_BYTES."""
    size = path.stat().st_size
    if size > TABLE_BYTES:
        raise DataError(
            f"{path}: has {in_words(size)}, and text is read up to {in_words(TABLE_BYTES)}; "
            "save it as arrays x and y in an .npz file, which is smaller and faster"
        )


def in_words(size: int) -> str:
    """A number of bytes as people say it: 8.0 GiB."""
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.1f} {unit}"
    return f"{size} bytes"
