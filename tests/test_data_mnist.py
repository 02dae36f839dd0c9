"""MNIST: the IDX format, the places its files are looked for, and the download."""

import functools
import gzip
import hashlib
import http.server
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from experiments.data import DataError, download, idx, load, mnist

REAL = os.environ.get("JAXNN_DATA_DIR")
FIX = "; delete it, or put a good copy there"


def encode(array: np.ndarray) -> bytes:
    """The IDX file of an array of bytes, after the published description of the format."""
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def spec_of(name: str, shape: tuple[int, ...], data: bytes) -> idx.Spec:
    return idx.Spec(name, shape, hashlib.sha256(data).hexdigest())


IMAGES = np.arange(5 * 3 * 2, dtype=np.uint8).reshape(5, 3, 2)
PLAIN = encode(IMAGES)
SPEC = spec_of("images", (5, 3, 2), PLAIN)


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of MNIST in an empty cache; no other place to look in."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("JAXNN_DATA_DIR", raising=False)
    return tmp_path / "cache" / "jaxnn" / "data" / "mnist"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A set of few, small images in the place of MNIST: the plain bytes of its files."""
    rng = np.random.default_rng(0)
    files, specs = {}, []
    for spec, count in zip(mnist.FILES, (6, 6, 4, 4), strict=True):
        array = rng.integers(0, 10, (count, *spec.shape[1:]), dtype=np.uint8)
        files[spec.name] = encode(array)
        specs.append(spec_of(spec.name, array.shape, files[spec.name]))
    monkeypatch.setattr(mnist, "FILES", tuple(specs))
    return files


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a web server on this machine, the second of two mirrors; the first fails."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            pass

    folder = tmp_path / "mirror"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(download, "MIRRORS", (url + "nowhere/", url))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()


def place(files: dict[str, bytes], folder: Path, *, packed: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("name", ["images", "images.gz"])
@pytest.mark.parametrize("data", [PLAIN, gzip.compress(PLAIN)], ids=["plain", "gzip"])
def test_idx_file_is_read_back_plain_or_compressed_whatever_its_name(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    array = idx.read(tmp_path / name, SPEC)
    assert array.dtype == np.uint8
    np.testing.assert_array_equal(array, IMAGES)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "expected 46 bytes, found 0"),
        (PLAIN[:15], "expected 46 bytes, found 15"),
        (PLAIN[:-1], "expected 46 bytes, found 45"),
        (PLAIN + b"\0", "expected 46 bytes, found more"),
        (b"<html>" + PLAIN, "expected magic number 00000803, found 3c68746d"),
        (encode(IMAGES[0]) + PLAIN, "expected magic number 00000803, found 00000802"),
        (b"\0\0\x09" + PLAIN[3:], "expected magic number 00000803, found 00000903"),
        (encode(IMAGES.reshape(5, 2, 3)), r"axes of length \(5, 3, 2\), found \(5, 2, 3\)"),
        (encode(IMAGES[:4]), r"axes of length \(5, 3, 2\), found \(4, 3, 2\)"),
        (encode(IMAGES[::-1]), "expected contents with SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_wrong_contents_are_refused_with_the_path(data, problem, pack, tmp_path):
    path = tmp_path / "images"
    path.write_bytes(pack(data))
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{problem}{FIX}$"):
        idx.read(path, SPEC)


@pytest.mark.parametrize("damage", ["cut", "flipped", "checksum", "trailing"])
def test_damaged_gzip_is_refused_with_the_path(damage, tmp_path):
    good = gzip.compress(PLAIN)
    content = {
        "cut": good[:-9],
        "flipped": good[:10] + b"\xff" + good[11:],
        "checksum": good[:-8] + bytes(4) + good[-4:],
        "trailing": good + b"rest",
    }
    path = tmp_path / "images.gz"
    path.write_bytes(content[damage])
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .* whole gzip file.*{FIX}$"):
        idx.read(path, SPEC)


def test_no_more_is_decompressed_than_one_byte_too_many(tmp_path, monkeypatch):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(PLAIN + bytes(1_000_000)))
    limits = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda f, n: limits.append(n) or read(f, n))
    with pytest.raises(DataError, match="expected 46 bytes, found more"):
        idx.read(path, SPEC)
    assert limits == [47]


def test_unreadable_file_is_refused_with_the_path(tmp_path):
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path))}: .* got: Is a directory"):
        idx.read(tmp_path, SPEC)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("where", ["data folder", "cache"])
def test_mnist_is_found_in_the_data_folder_and_in_the_cache(
    where, packed, small, cached, tmp_path, monkeypatch
):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path / "own"))
    place(small, tmp_path / "own" / "mnist" if where == "data folder" else cached, packed=packed)
    data = load("mnist")
    assert (data.x.shape, data.x_test.shape) == ((6, 28, 28), (4, 28, 28))
    assert (data.x.dtype, data.y.dtype, data.y_test.dtype) == (np.uint8, np.int32, np.int32)
    assert data.x.tobytes() == small["train-images-idx3-ubyte"][16:]
    assert bytes(data.y_test.tolist()) == small["t10k-labels-idx1-ubyte"][8:]
    assert (data.pixel_max, data.features, data.scaling) == (255, (), None)
    assert data.classes == tuple("0123456789")


def test_data_folder_comes_before_the_cache(small, cached, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    place(small, tmp_path / "mnist")
    place(dict.fromkeys(small, b"damaged"), cached)
    assert load("mnist").x.shape == (6, 28, 28)


def test_data_folder_without_a_file_is_refused_with_both(small, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(tmp_path))
    del small["t10k-labels-idx1-ubyte"]
    place(small, tmp_path / "mnist")
    problem = f"{re.escape(str(tmp_path / 'mnist'))} has neither t10k-labels-idx1-ubyte nor"
    with pytest.raises(DataError, match=f"JAXNN_DATA_DIR is set, but {problem}"):
        load("mnist")


def test_download_fills_the_cache_and_is_done_once(small, cached, mirror):
    place(small, mirror, packed=True)
    first = load("mnist")
    assert {path.name for path in cached.iterdir()} == {f"{name}.gz" for name in small}
    for path in mirror.iterdir():
        path.unlink()
    np.testing.assert_array_equal(load("mnist").x, first.x)


def test_failed_download_says_which_files_to_put_where(small, cached, mirror):
    (mirror / "train-images-idx3-ubyte.gz").write_bytes(b"no images")
    with pytest.raises(DataError) as caught:
        load("mnist")
    message = str(caught.value)
    assert "(127.0.0.1: HTTPError; 127.0.0.1: a damaged copy)" in message
    assert f"put these files into {cached}, or into mnist in $JAXNN_DATA_DIR" in message
    assert all(f"{name}.gz" in message for name in small)
    assert list(cached.iterdir()) == []


def test_unreachable_mirror_is_reported_in_one_line(small, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as bound:  # and not listening, so that nothing else answers there
        bound.bind(("127.0.0.1", 0))
        monkeypatch.setattr(download, "MIRRORS", (f"http://127.0.0.1:{bound.getsockname()[1]}/",))
        message = r"^MNIST cannot .* \(127.0.0.1: ConnectionError\); put"
        with pytest.raises(DataError, match=message):
            load("mnist")


def test_unwritable_cache_folder_is_refused_with_its_path(small, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"file/jaxnn/data/mnist: .* got: Not a directory"):
        load("mnist")


def test_missing_pooch_says_what_to_install(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"pooch.* pip install 'jaxnn\[data\]'.* put these files"):
        load("mnist")


@pytest.mark.skipif(not REAL, reason="JAXNN_DATA_DIR does not name a folder with MNIST")
def test_real_mnist_has_its_counts(monkeypatch):
    monkeypatch.setenv("JAXNN_DATA_DIR", str(REAL))
    data = load("mnist")
    assert (data.x.shape, data.x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(data.y).tolist() == [
        *(5923, 6742, 5958, 6131, 5842),
        *(5421, 5918, 6265, 5851, 5949),
    ]
    assert np.bincount(data.y_test).tolist() == [
        *(980, 1135, 1032, 1010, 982),
        *(892, 958, 1028, 974, 1009),
    ]
