"""Folders of images as examples: a folder for each class, `train` and `test` above them or not.

    flowers/daisy/1.png   flowers/rose/7.jpg         or     flowers/train/daisy/1.png   ...

Every image has the size and the kind, greyscale or RGB, of the first; none is larger than Pillow
allows (`Image.MAX_IMAGE_PIXELS`), and the size is known before anything is decompressed.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.data import limits
from experiments.data.dataset import DataError
from experiments.data.parts import Examples

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg")
_MODES = {"L": (), "RGB": (3,)}


def examples(folder: Path, test_folder: Path | None) -> Examples:
    """Return the images of a folder, classes in the order of their names; `folder/test` or
    `test_folder` is the test part if there is one.

    Raises DataError if the folder is not laid out as said above, or an image cannot be read or
    differs from the first.
    """
    above = _folders(folder)
    if set(above) in ({"train"}, {"train", "test"}):
        if test_folder and "test" in above:
            raise DataError(f"data.test_path: {folder} has a test part already, {above['test']}")
        folder, test_folder = above["train"], test_folder or above.get("test")
    classes = tuple(_folders(folder))
    if len(classes) < 2:
        raise DataError(
            f"{folder}: expected a folder for each class, at least 2, "
            f"found {', '.join(classes) or 'none'}"
        )
    x, y = _labelled(folder, classes)
    test = None
    if test_folder:
        test = _labelled(test_folder, classes)
        if test[0].shape[1:] != x.shape[1:]:
            raise DataError(
                f"{test_folder}: expected images as in {folder}, {_in_words(x.shape[1:])}, "
                f"got {_in_words(test[0].shape[1:])}"
            )
    return Examples(folder.name, x, y, classes, pixel_max=255, test=test)


def read(paths: Sequence[Path]) -> np.ndarray:
    """Images as bytes: (n, height, width) if they are greyscale, (n, height, width, 3) if RGB.

    Raises DataError, naming the file, for one that cannot be read or differs from the first.
    """
    found, first = [], None
    for path in paths:
        with _opened(path) as image:
            shape = (image.height, image.width, *_MODES[image.mode])
            if first is None:
                first = shape
                limits.check_arrays(path.parent, "its images", len(paths) * math.prod(shape))
            if shape != first:
                raise DataError(
                    f"{path}: expected an image like {paths[0]}, {_in_words(first)}, "
                    f"got {_in_words(shape)}"
                )
            try:
                found.append(np.asarray(image))
            except Exception as error:  # damage surfaces as almost any error
                raise _unreadable(path, error) from None
    return np.stack(found)


def files(folder: Path) -> list[Path]:
    """The images in a folder by their names; other files are none of ours."""
    entries = sorted(folder.iterdir())
    return [path for path in entries if path.suffix.lower() in SUFFIXES and _is_shown(path)]


def _labelled(folder: Path, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(images, labels) of the folders of the classes."""
    paths, labels = [], []
    for name, inner in _folders(folder).items():
        if name not in classes:
            raise DataError(f"{inner}: expected one of the classes {', '.join(classes)}")
        images = files(inner)
        if not images:
            raise DataError(f"{inner}: expected images ({', '.join(SUFFIXES)}), found none")
        paths += images
        labels += [classes.index(name)] * len(images)
    if not paths:
        raise DataError(f"{folder}: expected a folder of images for each class, found none")
    return read(paths), np.array(labels, np.int32)


def _folders(folder: Path) -> dict[str, Path]:
    """The folders in a folder, by name and in the order of the names."""
    entries = sorted(folder.iterdir())
    return {path.name: path for path in entries if path.is_dir() and _is_shown(path)}


def _is_shown(path: Path) -> bool:
    return not path.name.startswith(".")


@contextmanager
def _opened(path: Path) -> "Iterator[Image.Image]":
    """The image, its pixels not read yet; closed at the end."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            f"images are read by Pillow, which cannot be imported ({error}); "
            "install it with: pip install 'jaxnn[experiments]'"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=("PNG", "JPEG"))
    except Exception as error:
        raise _unreadable(path, error) from None
    with image:
        if image.mode not in _MODES:
            raise DataError(
                f"{path}: expected greyscale (mode L) or RGB without transparency, got mode "
                f"{image.mode}; convert it"
            )
        yield image


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: expected a whole PNG or JPEG image, got: {error}")


def _in_words(shape: Sequence[int]) -> str:
    kind = "greyscale" if len(shape) == 2 else "RGB"
    return f"{shape[1]} x {shape[0]} pixels of {kind}"
