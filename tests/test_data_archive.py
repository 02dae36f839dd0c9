"""Archives of arrays that are damaged or hostile: pickles, sizes that lie, bytes that are gone."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from experiments.config.data import Data
from experiments.data import DataError, Dataset, archive, limits, read

ROWS = np.random.default_rng(0).normal(3, 2, (20, 4))
LABELS = np.arange(20) % 3


def write(folder: Path, **arrays) -> str:
    np.savez(folder / "own.npz", **arrays)
    return str(folder / "own.npz")


def load(path: str) -> Dataset:
    return read(Data(path=path), 0)


class Trap:
    """Unpickling it would call a function."""

    def __reduce__(self):
        return pytest.fail, ("the pickle was loaded",)


def test_a_pickle_is_not_loaded(tmp_path):
    path = write(tmp_path, x=np.array([Trap()] * 3, dtype=object), y=LABELS[:3])
    with pytest.raises(DataError, match="array 'x': expected numbers or strings, got object"):
        load(path)


def member(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pack(folder: Path, **members: bytes) -> Path:
    path = folder / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(f"{name}.npy", content)
    return path


def test_the_sizes_in_the_directory_are_added_up_before_anything_is_read(tmp_path, monkeypatch):
    bomb = member(np.zeros(1_000_000))
    path = pack(tmp_path, x=bomb, y=bomb, others=bomb)
    assert path.stat().st_size < 30_000
    monkeypatch.setattr(limits, "ARRAY_BYTES", 15_999_999)
    monkeypatch.setattr(archive, "_array", lambda *args: pytest.fail("an array was read"))
    with pytest.raises(DataError, match=r"its arrays would take 15.3 MiB, the limit is 15.3 MiB"):
        load(str(path))


def test_a_header_that_asks_for_more_than_there_is_is_refused(tmp_path):
    small = member(np.zeros(8))
    huge = small.replace(b"(8,), }" + b" " * 16, b"(80000000000000,), }" + b" " * 3)
    assert len(huge) == len(small) != huge.count(b"\0")
    with pytest.raises(
        DataError, match=r"'x': damaged: 64 bytes for the shape \(80000000000000,\)"
    ):
        load(str(pack(tmp_path, x=huge, y=small)))


def test_a_directory_that_says_less_than_there_is_is_refused(tmp_path):
    path = pack(tmp_path, x=member(np.zeros((50, 2))), y=member(LABELS[:2]))
    content = path.read_bytes()
    size = len(member(np.zeros((50, 2)))).to_bytes(4, "little")
    assert content.count(size) == 2  # beside the array, and in the directory
    path.write_bytes(content.replace(size, (200).to_bytes(4, "little")))
    with pytest.raises(DataError, match=r"own.npz: expected an .npz file of NumPy, found damage"):
        load(str(path))


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "no array", "one array"])
def test_damage_is_refused_with_the_path(damage, tmp_path):
    path = Path(write(tmp_path, x=ROWS, y=LABELS))
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[300] ^= 1
    content = {"empty": b"", "text": b"x,y\n1,2\n", "cut": good[:-30], "flipped": bytes(flipped)}
    if damage in content:
        path.write_bytes(content[damage])
    elif damage == "no array":
        pack(tmp_path, x=b"not an array", y=member(LABELS))
    else:
        path.write_bytes(member(ROWS))
    with pytest.raises(DataError, match=r"own.npz: (array 'x': )?expected an .* of NumPy|as NumPy"):
        load(str(path))
