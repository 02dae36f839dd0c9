"""IDX, the file format of MNIST, read strictly.

A file of unsigned bytes holds a header and then the values, the last axis changing fastest:

    2 bytes   zero
    1 byte    the type of the values, 8 for unsigned bytes
    1 byte    the number of axes, d
    4d bytes  the length of every axis, 32 bits each, most significant byte first

The first four bytes are the magic number. The file may be compressed with gzip.
"""

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.data.dataset import DataError

_GZIP = b"\x1f\x8b"


class Spec(NamedTuple):
    """What one IDX file of unsigned bytes must be.

    name    its file name, without .gz
    shape   of the array in it
    sha256  of the whole file, decompressed, in hexadecimal
    """

    name: str
    shape: tuple[int, ...]
    sha256: str


def read(path: Path, spec: Spec) -> np.ndarray:
    """Return the array in the file, uint8 of shape `spec.shape`.

    Raises DataError, naming `path`, if the file cannot be read or differs from `spec` at all.
    """
    magic = struct.pack(">HBB", 0, 8, len(spec.shape))
    header = magic + struct.pack(f">{len(spec.shape)}I", *spec.shape)
    size = len(header) + math.prod(spec.shape)
    # One byte more than expected shows that a file is too long, however long it would get.
    data = _contents(path, size + 1)

    if len(data) >= len(header):
        if data[:4] != magic:
            raise _damaged(path, f"magic number {magic.hex()}", data[:4].hex())
        found = struct.unpack_from(f">{len(spec.shape)}I", data, offset=4)
        if found != spec.shape:
            raise _damaged(path, f"axes of length {spec.shape}", found)
    if len(data) != size:
        raise _damaged(path, f"{size} bytes", "more" if len(data) > size else len(data))
    digest = hashlib.sha256(data).hexdigest()
    if digest != spec.sha256:
        raise _damaged(path, f"contents with SHA-256 {spec.sha256}", digest)
    return np.frombuffer(data, np.uint8, offset=len(header)).reshape(spec.shape)


def _contents(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of the file, decompressed.

    Raises DataError if the file cannot be read or is a damaged gzip file.
    """
    try:
        with path.open("rb") as file:
            # Not told by the name: browsers and servers unpack a .gz file and keep its name.
            packed = file.peek(len(_GZIP)).startswith(_GZIP)
            return (gzip.GzipFile(fileobj=file) if packed else file).read(limit)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, "a whole gzip file", f"a damaged one ({error})") from error
    except OSError as error:
        raise DataError(
            f"{path}: expected a readable file, got: {error.strerror}; "
            "correct its permissions, or put a good copy there"
        ) from error


def _damaged(path: Path, expected: str, found: object) -> DataError:
    """The error for a file with wrong contents."""
    return DataError(
        f"{path}: expected {expected}, found {found}; delete it, or put a good copy there"
    )
