"""Folders of images: what they become, and how a bad one is refused."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.config.data import Data
from experiments.data import DataError, Dataset, limits, read

GREY = np.arange(24, dtype=np.uint8).reshape(4, 3, 2) * 10


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of two images."""
    for i, name in enumerate(("rose/b.png", "daisy/1.png", "rose/a.PNG", "daisy/2.png")):
        save(tmp_path / "flowers" / name, GREY[i])
    return tmp_path / "flowers"


def load(path: Path, **keys) -> Dataset:
    return read(Data(path=str(path), **keys), 0)


def together(data: Dataset) -> dict[bytes, str]:
    """The class of every image, by its bytes."""
    pairs = zip([*data.x, *data.x_test], [*data.y, *data.y_test], strict=True)
    return {x.tobytes(): data.classes[y] for x, y in pairs}


def test_a_folder_for_each_class_by_the_order_of_names(folder):
    (folder / ".hidden").mkdir()
    (folder / "rose" / "readme.txt").write_text("not an image")
    data = load(folder, test_fraction=0.5)
    assert (data.name, data.classes, data.pixel_max) == ("flowers", ("daisy", "rose"), 255)
    assert (data.x.shape, data.x_test.shape, data.x.dtype) == ((2, 3, 2), (2, 3, 2), np.uint8)
    names = ("rose", "daisy", "rose", "daisy")
    expected = {pixels.tobytes(): name for pixels, name in zip(GREY, names, strict=True)}
    assert together(data) == expected


def test_colour_has_an_axis_of_three(tmp_path):
    pixels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    for i, name in enumerate("ab"):
        save(tmp_path / "train" / name / "0.png", pixels[i])
        save(tmp_path / "test" / name / "0.jpg", pixels[i])
    data = load(tmp_path)
    np.testing.assert_array_equal(data.x, pixels)
    # JPEG is not exact: by how much Pillow's own reader says
    exact = [np.asarray(Image.open(tmp_path / "test" / name / "0.jpg")) for name in "ab"]
    np.testing.assert_array_equal(data.x_test, exact)


def test_a_test_folder_may_lie_apart(folder, tmp_path):
    save(tmp_path / "apart" / "rose" / "1.png", GREY[3])
    data = load(folder, test_path=str(tmp_path / "apart"))
    assert (data.x_test.tolist(), data.y_test.tolist()) == ([GREY[3].tolist()], [1])
    save(tmp_path / "apart" / "tulip" / "1.png", GREY[3])
    with pytest.raises(DataError, match=r"tulip: expected one of the classes daisy, rose"):
        load(folder, test_path=str(tmp_path / "apart"))
    save(tmp_path / "wide" / "rose" / "1.png", GREY[3].T)
    with pytest.raises(
        DataError, match=r"expected images as in .*, 2 x 3 .*, got 3 x 2 pixels of g"
    ):
        load(folder, test_path=str(tmp_path / "wide"))


def bomb(path: Path, side: int) -> None:
    """A PNG that says it has side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in chunks:
        check = struct.pack(">I", zlib.crc32(name + data))
        content += struct.pack(">I", len(data)) + name + data + check
    path.write_bytes(content)


def palette(path: Path) -> None:
    Image.fromarray(GREY[0]).convert("P").save(path)


FAULTS = {
    "size": (
        lambda path: save(path, GREY[0].T),
        "expected an image like .*1.png, 2 x 3 pixels of g",
    ),
    "kind": (lambda path: save(path, np.stack([GREY[0]] * 3, -1)), "got 2 x 3 pixels of RGB"),
    "mode": (palette, r"expected greyscale \(mode L\) or RGB .* got mode P; convert it"),
    "transparency": (lambda path: save(path, np.stack([GREY[0]] * 4, -1)), "got mode RGBA"),
    "text": (lambda path: path.write_text("no"), "expected a whole PNG or JPEG image, got: "),
    "cut": (
        lambda path: path.write_bytes((path.parent / "1.png").read_bytes()[:45]),
        "expected a whole PNG or JPEG image, got: ",
    ),
    "bomb": (lambda path: bomb(path, 10_000), "got: Image size .* could be decompression bomb"),
    "larger bomb": (lambda path: bomb(path, 60_000), "got: Image size .* could be decompression"),
    "gif": (
        lambda path: Image.fromarray(GREY[0]).save(path, format="gif"),
        "expected a whole PNG or JPEG image, got: cannot identify",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_an_image_unlike_the_others_is_refused_by_its_file(spoil, message, folder):
    path = folder / "daisy" / "2.png"
    spoil(path)
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}: .*{message}"):
        load(folder)


def test_a_folder_that_is_laid_out_otherwise_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"rose: expected a folder for each class.* found none"):
        load(folder / "rose")
    (folder / "tulip").mkdir()
    with pytest.raises(
        DataError, match=r"tulip: expected images \(.png, .jpg, .jpeg\), found none"
    ):
        load(folder)
    with pytest.raises(DataError, match=r"data.task: a folder of images has classes, not amounts"):
        load(folder, task="regression")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: expected a folder for each class"):
        load(tmp_path / "empty")


def test_the_size_of_all_images_is_bounded_before_the_first_is_read(folder, monkeypatch):
    monkeypatch.setattr(limits, "ARRAY_BYTES", 23)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("an image was read"))
    with pytest.raises(DataError, match="its images would take 24 bytes, the limit is 23 bytes"):
        load(folder)
