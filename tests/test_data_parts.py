"""The validation part, and what a run keeps of its data."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.config.data import Data
from experiments.data import DataError, Dataset, describe, load, mnist, read, read_description
from experiments.data.description import fingerprint
from experiments.data.parts import Examples, split
from experiments.data.unseen import new_examples


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def raw(data: Dataset, *parts: str) -> np.ndarray:
    """The inputs of some parts in their own units, which have four digits behind the point or
    fewer, in an order that does not depend on the split."""
    x = np.concatenate([getattr(data, part) for part in parts]).astype(np.float64)
    if data.scaling is not None:
        x = x * data.scaling.std + data.scaling.mean
    x = x.reshape(len(x), -1)
    return x[np.lexsort(np.round(x, 4).T)]


def test_a_read_without_validation_is_a_load():
    for name in ("iris", "diabetes"):
        section = Data(name=name, test_fraction=0.3)
        data = read(section, 5)
        assert (data.x_validation, data.y_validation) == (None, None)
        assert fingerprint(data) == fingerprint(load(name, test_fraction=0.3, seed=5))


@pytest.mark.parametrize("name", ["digits", "wine", "diabetes"])
def test_validation_comes_out_of_the_training_part_and_leaves_the_test_part(name):
    plain, data = load(name, seed=3), load(name, validation_fraction=0.25, seed=3)
    assert data.x_validation is not None
    assert data.y_validation is not None
    if data.classes:
        counts = [np.bincount(y) for y in (plain.y, data.y, data.y_validation)]
        np.testing.assert_array_equal(counts[1], counts[0] - counts[2])
        np.testing.assert_array_equal(counts[2], np.round(0.25 * counts[0]).astype(int))
    # A standardised number is rounded to float32 on each side.
    np.testing.assert_allclose(raw(data, "x_test"), raw(plain, "x_test"), rtol=3e-7)
    np.testing.assert_allclose(raw(data, "x", "x_validation"), raw(plain, "x"), rtol=3e-7)
    if data.features:  # standardised by what is left
        np.testing.assert_allclose(np.float64(data.x).mean(0), 0, atol=1e-7)
        np.testing.assert_allclose(np.float64(data.x).std(0), 1, atol=1e-7)
    if not data.classes:
        y = np.float64(data.y)
        np.testing.assert_allclose((y.mean(), y.std()), (0, 1), atol=1e-7)
    assert not data.x_validation.flags.writeable


def test_the_validation_part_depends_on_the_seed_and_not_on_the_order_of_calls():
    sets = [load("iris", validation_fraction=0.2, seed=seed) for seed in (1, 1, 2)]
    parts = [data.arrays["x_validation"] for data in sets]
    np.testing.assert_array_equal(parts[0], parts[1])
    assert not np.array_equal(parts[0], parts[2])


def test_mnist_gives_a_validation_part_out_of_its_training_part(monkeypatch):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (100, 28, 28), dtype=np.uint8), np.arange(100, dtype=np.int32) % 10
    classes = tuple("0123456789")
    examples = Examples("mnist", x[:80], y[:80], classes, pixel_max=255, test=(x[80:], y[80:]))
    monkeypatch.setattr(mnist, "examples", lambda: examples)
    plain, data = load("mnist"), load("mnist", validation_fraction=0.25)
    assert plain.x is examples.x
    assert data.y_validation is not None
    assert np.bincount(data.y_validation).tolist() == [2] * 10
    assert np.bincount(data.y).tolist() == [6] * 10
    assert not np.array_equal(data.x, load("mnist", validation_fraction=0.25, seed=1).x)
    assert data.x_test is plain.x_test is examples.test[0]  # pyright: ignore


@pytest.mark.parametrize("fraction", [-0.5, 1.0, float("nan")])
def test_an_impossible_fraction_is_refused_by_its_name(fraction):
    with pytest.raises(DataError, match=f"validation_fraction: expected .* got {fraction}"):
        load("iris", validation_fraction=fraction)


def test_a_class_too_small_for_three_parts_is_refused_by_its_name():
    y = np.array([0, 0, 0, 0, 1, 1], np.int32)
    examples = Examples("few", np.zeros((6, 2)), y, ("many", "few"), features=("a", "b"))
    split(examples, test_fraction=0.5)
    with pytest.raises(DataError, match=r"class 'few': expected at least 2 examples.* got 1"):
        split(examples, test_fraction=0.5, validation_fraction=0.5)


def test_a_description_comes_back_from_json_to_the_last_bit(tmp_path):
    for name in ("digits", "diabetes"):
        data = load(name, validation_fraction=0.1)
        path = tmp_path / "data.json"
        path.write_text(json.dumps(describe(data)))
        found = read_description(path)
        assert found == describe(data)
        parts = (data.x, data.x_validation, data.x_test)
        assert list(found["examples"].values()) == [len(part) for part in parts if part is not None]
        assert found["classes"] == list(data.classes)
        x = np.zeros((1, *found["input"]["shape"]), found["input"]["dtype"])
        assert (x.shape[1:], x.dtype) == (data.x.shape[1:], data.x.dtype)
    assert data.scaling is not None
    assert data.scaling.target_std is not None
    assert found["scaling"] is not None
    assert found["target_scaling"] is not None
    assert np.array(found["scaling"]["mean"]).tobytes() == data.scaling.mean.tobytes()
    assert np.array(found["target_scaling"]["std"]).tobytes() == data.scaling.target_std.tobytes()
    assert [column["name"] for column in found["columns"]] == list(data.features)


def test_the_fingerprint_is_of_every_bit_of_every_part():
    data = load("iris", validation_fraction=0.1)
    digest = hashlib.sha256()
    for name, array in data.arrays.items():
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    assert (fingerprint(data), len(data.arrays)) == (digest.hexdigest(), 6)
    again = load("iris", validation_fraction=0.1)
    assert fingerprint(again) == fingerprint(data)
    assert fingerprint(load("iris", validation_fraction=0.1, seed=1)) != fingerprint(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "data.json: cannot be read: No such file"),
        ("{", "data.json: expected the description of a data set, .* Invalid JSON"),
        ('{"name": 3}', "data.json: .* got: name: Input should be a valid string; train again"),
    ],
)
def test_a_file_that_is_no_description_is_refused(text, message, tmp_path):
    if text is not None:
        (tmp_path / "data.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_description(tmp_path / "data.json")


TABLE = "size,colour,kind\n" + "".join(
    f"{i},{'red' if i % 3 else 'blue'},k{i % 2}\n" for i in range(20)
)


def test_new_rows_are_read_by_the_names_of_the_columns_and_scaled_as_the_training_data(tmp_path):
    (tmp_path / "own.csv").write_text(TABLE)
    data = read(Data(path=str(tmp_path / "own.csv"), target="kind"), 0)
    new = tmp_path / "new.csv"
    new.write_text("id;colour;size\n;red;3\n;blue;4.5\n")
    names, x = new_examples(describe(data), new)
    assert data.scaling is not None
    expected = (np.array([[3, 0, 1], [4.5, 1, 0]]) - data.scaling.mean) / data.scaling.std
    np.testing.assert_array_equal(x, expected.astype(np.float32))
    assert list(names) == [1, 2]
    np.savez(tmp_path / "new.npz", x=[[3.0, 0, 1], [4.5, 1, 0]])
    np.testing.assert_array_equal(new_examples(describe(data), tmp_path / "new.npz")[1], x)
    for text, message in {
        "colour,siz\nred,3\n": "no column 'size', named by the training data, did you mean 'siz'",
        "size,colour\n3,green\n": "line 2, column 'colour': expected one of blue, red .got 'green'",
        "size,colour\nlarge,red\n": "line 2, column 'size': expected a number .got 'large'",
        "size,colour\n3,\n": "line 2, column 'colour': missing value",
        "size,colour\n" + "".join(f"{i},{i}\n" for i in range(1500)): "'colour': expected one of b",
    }.items():
        new.write_text(text)
        with pytest.raises(DataError, match=message):
            new_examples(describe(data), new)


def test_new_arrays_have_the_shape_and_type_of_the_training_data(tmp_path):
    digits, path = load("digits"), tmp_path / "new.npz"
    np.savez(path, x=digits.x[:3])
    np.testing.assert_array_equal(new_examples(describe(digits), path)[1], digits.x[:3])
    for x, message in (
        (digits.x[:3, 1:], r"expected uint8 \(n, 8, 8\), got uint8 \(n, 7, 8\)"),
        (digits.x[:3] / 16, r"expected uint8 \(n, 8, 8\), got float32 \(n, 8, 8\)"),
        (digits.x[:3] * 2, "expected bytes up to 16, got "),
    ):
        np.savez(path, x=x)
        with pytest.raises(DataError, match=message):
            new_examples(describe(digits), path)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"takes uint8 \(n, 8, 8\), not the rows of a table"):
        new_examples(describe(digits), tmp_path / "new.csv")


def test_new_images_are_called_by_their_files(tmp_path):
    from PIL import Image

    pixels = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    labels = np.array([0, 0, 1, 1], np.int32)
    data = split(Examples("own", pixels, labels, ("a", "b"), pixel_max=255))
    folder = tmp_path / "new"
    folder.mkdir()
    with pytest.raises(DataError, match=r"new: expected images \(.png, .jpg, .jpeg\), found none"):
        new_examples(describe(data), folder)
    for i, name in enumerate(("2.png", "1.png")):
        Image.fromarray(pixels[i]).save(folder / name)
    names, x = new_examples(describe(data), folder)
    assert names == ["1.png", "2.png"]
    np.testing.assert_array_equal(x, pixels[[1, 0]])
    names, x = new_examples(describe(data), folder / "2.png")
    assert (names, x.tolist()) == (["2.png"], [pixels[0].tolist()])
    with pytest.raises(DataError, match=r"takes uint8 \(n, 8, 8\), not image files; put the ex"):
        new_examples(describe(load("digits")), folder)
