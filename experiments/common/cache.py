"""The user's cache folder, files that appear there whole or not at all, and arrays in them."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np


def folder() -> Path:
    """`jaxnn/data` in $XDG_CACHE_HOME, or in ~/.cache. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    cache = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return cache / "jaxnn" / "data"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`, which takes its name when the block ends well.

    After an error in the block, the temporary file is gone and `path` is as before.

    Raises OSError if the folder cannot be made or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file of named arrays. Raises OSError if that is impossible."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of an .npz file, None if it is missing or damaged."""
    try:
        # NumPy leaves a file it opened itself open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except Exception:
        # Damage surfaces as almost any error (zipfile, zlib, EOF, parser, memory), and the cure
        # is always the same: the caller makes the file again.
        return None
