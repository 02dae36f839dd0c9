"""Archives of arrays, .npz, read strictly: no pickle, and nothing larger than it says it is.

The sizes in the directory of the archive are added up before anything is read; every array's
header then has to agree with its size, so that neither can ask for memory that the other hides.
"""

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from experiments.data import limits
from experiments.data.dataset import DataError

_KINDS = "biufU"  # bool, integers, floats, strings


def read(path: Path, needed: Sequence[str], others: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Return the arrays `needed`, and those of `others` that are there; any more stay unread.

    Raises DataError, naming file and array, if one is missing or damaged, is not of numbers or
    strings, or all of them are too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            for name in needed:
                if name not in found:
                    has = ", ".join(sorted(found)[:20]) or "nothing"
                    raise DataError(f"{path}: expected an array {name!r}, found: {has}")
            wanted = {name: found[name] for name in (*needed, *others) if name in found}
            size = sum(info.file_size for info in wanted.values())
            limits.check_arrays(path, "its arrays", size)
            return {name: _array(path, archive, name, info) for name, info in wanted.items()}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: expected an .npz file of NumPy, found damage: {error}") from None


def _array(path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> np.ndarray:
    where = f"{path}: array {name!r}"
    try:
        with archive.open(info) as member:
            shape, dtype = _header(member)
            size = info.file_size - member.tell()
        if dtype.kind not in _KINDS:
            raise DataError(
                f"{where}: expected numbers or strings, got {dtype}; convert it with .astype first"
            )
        if size != math.prod(shape) * dtype.itemsize:
            raise DataError(f"{where}: damaged: {size} bytes for the shape {shape} of {dtype}")
        with archive.open(info) as member:
            return np.lib.format.read_array(member, allow_pickle=False)
    except ValueError as error:
        raise DataError(f"{where}: expected an array as NumPy saves it: {error}") from None


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type that an array's header says; `member` is then at its first value."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(member)
    if version not in read:
        raise ValueError(f"unknown version {version} of the format")
    shape, _, dtype = read[version](member)
    return shape, dtype
