"""Arrays of the user's own, .npz files: what they become, and how a bad one is refused."""

from pathlib import Path

import numpy as np
import pytest

from experiments.config.data import Data
from experiments.data import DataError, Dataset, read
from experiments.data.split import shuffled

RNG = np.random.default_rng(0)
ROWS = RNG.normal(3, 2, (20, 4))
IMAGES = RNG.integers(0, 256, (20, 3, 2), dtype=np.uint8)
LABELS = np.arange(20) % 3


def write(folder: Path, name: str = "own.npz", **arrays) -> str:
    np.savez(folder / name, **arrays)
    return str(folder / name)


def load(path: str, **keys) -> Dataset:
    return read(Data(path=path, **keys), 0)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64, np.uint8, np.bool_])
def test_numbers_in_rows_are_standardised(dtype, tmp_path):
    x = ROWS.astype(dtype)
    data = load(write(tmp_path, x=x, y=ROWS[:, 0]))
    train, test = shuffled(20, 0.2, 0)
    mean, std = x[train].mean(0, dtype=np.float64), x[train].std(0, dtype=np.float64)
    np.testing.assert_allclose(data.x_test, (x[test] - mean) / np.where(std, std, 1), rtol=1e-6)
    assert (data.x.dtype, data.pixel_max) == (np.float32, None)
    assert data.features == ("x0", "x1", "x2", "x3")


@pytest.mark.parametrize("images", [IMAGES, np.stack([IMAGES] * 3, axis=-1)])
def test_bytes_with_axes_are_images(images, tmp_path):
    data = load(write(tmp_path, x=images, y=LABELS), test_fraction=0.5)
    assert (data.x.dtype, data.pixel_max, data.scaling) == (np.uint8, 255, None)
    together = np.concatenate([data.x, data.x_test])
    assert sorted(map(bytes, together)) == sorted(map(bytes, images))


def test_floats_with_axes_are_left_as_they_are(tmp_path):
    x = ROWS.reshape(20, 2, 2)
    data = load(write(tmp_path, x=x, y=LABELS, x_test=x[:5], y_test=LABELS[:5]))
    np.testing.assert_array_equal(data.x, x.astype(np.float32))
    np.testing.assert_array_equal(data.x_test, x[:5].astype(np.float32))
    assert (data.features, data.scaling, data.pixel_max) == ((), None, None)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (LABELS, ("0", "1", "2")),
        (LABELS[:, None] * 5 - 5, ("-5", "0", "5")),
        (np.array(["b", "c", "a"])[LABELS], ("a", "b", "c")),
        (LABELS > 0, ("0", "1")),
        ((LABELS > 0) * 2.0, ("0", "2")),
    ],
)
def test_labels_are_integers_or_strings(y, classes, tmp_path):
    data = load(write(tmp_path, x=ROWS, y=y, x_test=ROWS, y_test=y))
    assert (data.classes, data.y.dtype) == (classes, np.int32)
    named = [str(value) if isinstance(value, str) else str(int(value)) for value in y.ravel()]
    assert [data.classes[label] for label in data.y] == named
    np.testing.assert_array_equal(data.y_test, data.y)


def test_names_of_the_labels_can_be_given(tmp_path):
    names = np.array(["z", "a", "m", "none of it"])
    test = {"x_test": ROWS[:2], "y_test": np.array([3, 0])}
    data = load(write(tmp_path, x=ROWS, y=LABELS, classes=names, **test))
    assert data.classes == tuple(names)
    np.testing.assert_array_equal(data.y, LABELS)
    assert data.y_test.tolist() == [3, 0]


def test_amounts_may_be_several_and_belong_to_images_too(tmp_path):
    y = RNG.normal(5, 3, (20, 2))
    data = load(write(tmp_path, x=IMAGES, y=y))
    train, _ = shuffled(20, 0.2, 0)
    assert data.scaling is not None
    assert data.scaling.target_mean is not None
    assert data.scaling.target_std is not None
    np.testing.assert_allclose(data.scaling.target_mean, y[train].mean(0), rtol=1e-12)
    back = data.y * data.scaling.target_std + data.scaling.target_mean
    np.testing.assert_allclose(back, y[train], rtol=1e-6)
    np.testing.assert_array_equal(data.x, IMAGES[train])
    assert load(write(tmp_path, x=ROWS, y=LABELS), task="regression").y.shape == (16, 1)


def test_a_test_file_of_its_own(tmp_path):
    test = write(tmp_path, "test.npz", x=ROWS[:2] + 1, y=LABELS[:2])
    path = write(tmp_path, x=ROWS, y=LABELS)
    data = load(path, test_path=test)
    assert data.scaling is not None
    np.testing.assert_allclose(
        data.x_test * data.scaling.std + data.scaling.mean, ROWS[:2] + 1, rtol=1e-6
    )
    both = write(tmp_path, "both.npz", x=ROWS, y=LABELS, x_test=ROWS, y_test=LABELS)
    with pytest.raises(DataError, match=r"data.test_path: .*both.npz has a test part already: x_"):
        load(both, test_path=test)


FAULTS = {
    "no y": ({"x": ROWS}, "expected an array 'y', found: x"),
    "lengths": (
        {"x": ROWS, "y": LABELS[1:]},
        r"'y': expected one target for each of the 20 examples, got \(19,\)",
    ),
    "one axis": (
        {"x": ROWS[:, 0], "y": LABELS},
        r"array 'x': expected numbers \(n, features\), images .* got float64 \(20,\)",
    ),
    "whole numbers with axes": (
        {"x": IMAGES.astype(int), "y": LABELS},
        r"'x': expected numbers .* images of uint8 .* got int64 \(20, 3, 2\)",
    ),
    "strings": ({"x": ROWS.astype(str), "y": LABELS}, "'x': expected numbers .* got <U"),
    "complex": (
        {"x": ROWS + 1j, "y": LABELS},
        "'x': expected numbers or strings, got complex128; convert it with .astype first",
    ),
    "none": ({"x": ROWS[:0], "y": LABELS[:0]}, r"'x': expected .* got float64 \(0, 4\)"),
    "nan": (
        {"x": np.where(ROWS[3, 1] == ROWS, np.nan, ROWS), "y": LABELS},
        r"'x': expected finite numbers, found nan at \[3, 1\], 1 in all",
    ),
    "nan in y": (
        {"x": ROWS, "y": np.where(np.arange(20) > 17, np.inf, 0.5)},
        r"'y': expected finite numbers, found inf at \[18\], 2 in all",
    ),
    "one-hot": (
        {"x": ROWS, "y": np.eye(3, dtype=int)[LABELS]},
        r"'y': expected the label of each example, \(n,\), got int64 \(20, 3\); .*y.argmax\(1\)",
    ),
    "whole floats": (
        {"x": ROWS, "y": LABELS * 1.0},
        "'y': has 3 different whole numbers, which can be classes or amounts; set data.task",
    ),
    "one class": (
        {"x": ROWS, "y": LABELS * 0},
        "'y': expected between 2 and 1000 classes, found 1",
    ),
    "too few names": (
        {"x": ROWS, "y": LABELS, "classes": np.array(["a", "b"])},
        "'y': expected integers from 0 to 1, as there are 2 names in 'classes', got 0 to 2",
    ),
    "equal names": (
        {"x": ROWS, "y": LABELS, "classes": np.array(["a", "b", "a"])},
        "'classes': expected between 2 and 1000 different names",
    ),
    "half a test part": (
        {"x": ROWS, "y": LABELS, "x_test": ROWS},
        "expected both x_test and y_test, or none, found 'x_test'",
    ),
    "another test part": (
        {"x": ROWS, "y": LABELS, "x_test": ROWS[:, 1:], "y_test": LABELS},
        r"'x_test': .* like those of the training part, float64 \(n, 4\), got float64 \(n, 3\)",
    ),
    "another class": (
        {"x": ROWS, "y": LABELS, "x_test": ROWS, "y_test": LABELS + 1},
        r"'y_test': expected the classes of the training part, found 3 at \[2\]",
    ),
    "classes for amounts": (
        {"x": ROWS, "y": ROWS, "x_test": ROWS, "y_test": LABELS},
        r"'y_test': expected numbers \(n, 4\), got int64 \(20,\)",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_arrays_that_do_not_fit_are_refused(arrays, message, tmp_path):
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, **arrays))
