"""Compiled programs, kept from one run to the next.

A small network takes longer to compile than to train. Keeping what was compiled is the choice of
an application, never of a library: nothing in `jaxnn` switches it on.
"""

import contextlib
import os
from pathlib import Path

import jax

from experiments.common import cache

LIMIT = 256 * 2**20  # bytes; a run of a shipped config keeps well under one megabyte

# JAX keeps by itself what took a second to compile, which next to nothing here does.
_EVERYTHING = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def folder() -> Path | None:
    """Where the programs lie; None if they are not kept.

    The environment decides: JAXNN_COMPILE_CACHE, a folder or "off"; else JAX's own
    JAX_COMPILATION_CACHE_DIR; else it is `jaxnn/jit` in the user's cache, see
    `experiments.common.cache`.
    """
    ours = os.environ.get("JAXNN_COMPILE_CACHE", "")
    if ours == "off":
        return None
    theirs = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    return Path(ours or theirs or _default()).expanduser()


def enable() -> Path | None:
    """Keep every program in `folder()`, and return it; None if off or the folder is unwritable.

    To be called before the first jit. Other variables of JAX are left as the user set them. Of our
    own folder the programs longest unused go once they take more than LIMIT bytes.
    """
    place = folder()
    if place is None or not _writable(place):
        return None
    if place == _default():
        shrink(place)
    jax.config.update("jax_compilation_cache_dir", str(place))
    for name, value in _EVERYTHING.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    return place


def shrink(place: Path, limit: int = LIMIT) -> None:
    """Delete programs until they take at most half the limit, if they take more than all of it.

    The oldest go first, by the time they were last read where the file system keeps that.
    """
    # JAX can bound its cache itself, but only with another package, and rewrites a file each read.
    found = [(entry, entry.stat()) for entry in os.scandir(place) if entry.name.endswith("-cache")]
    size = sum(status.st_size for _, status in found)
    if size <= limit:
        return
    for entry, status in sorted(found, key=lambda pair: max(pair[1].st_atime, pair[1].st_mtime)):
        with contextlib.suppress(FileNotFoundError):  # another run is as tidy
            os.unlink(entry.path)
        size -= status.st_size
        if size <= limit // 2:
            return


def _default() -> Path:
    return cache.folder().parent / "jit"


def _writable(place: Path) -> bool:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(place, os.W_OK | os.X_OK)
