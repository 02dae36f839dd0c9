"""Data sets by name: shapes, splits, standardisation, and the cache of scikit-learn's sets."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from experiments.common import cache
from experiments.data import NAMES, DataError, Dataset, bundled, load
from experiments.data.scaling import standardise, statistics
from experiments.data.split import shuffled, stratified

# name, shape of an example, number of examples in the two parts, test examples of every class
CLASSIFIED = [
    ("digits", (8, 8), 1438, 359, [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]),
    ("iris", (4,), 120, 30, [10, 10, 10]),
    ("wine", (13,), 142, 36, [12, 14, 10]),
    ("breast_cancer", (30,), 456, 113, [42, 71]),
]
TABULAR = ["iris", "wine", "breast_cancer"]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jaxnn" / "data"


def forbid_sklearn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)


def assert_same(a: Dataset, b: Dataset) -> None:
    np.testing.assert_array_equal(a.x, b.x)
    np.testing.assert_array_equal(a.y, b.y)
    np.testing.assert_array_equal(a.x_test, b.x_test)
    np.testing.assert_array_equal(a.y_test, b.y_test)
    assert (a.classes, a.features, a.pixel_max) == (b.classes, b.features, b.pixel_max)


@pytest.mark.parametrize(("name", "shape", "train", "test", "per_class"), CLASSIFIED)
def test_classified_sets_have_their_shapes_and_test_counts(name, shape, train, test, per_class):
    data = load(name)
    assert (data.name, len(data.classes)) == (name, len(per_class))
    assert (data.x.shape, data.y.shape) == ((train, *shape), (train,))
    assert (data.x_test.shape, data.y_test.shape) == ((test, *shape), (test,))
    assert data.x.dtype == data.x_test.dtype == (np.uint8 if name == "digits" else np.float32)
    assert data.y.dtype == data.y_test.dtype == np.int32
    np.testing.assert_array_equal(np.bincount(data.y_test), per_class)


def test_digits_are_bytes_up_to_sixteen():
    data = load("digits")
    assert (data.x.max(), data.pixel_max) == (16, 16)
    assert (data.classes, data.features, data.scaling) == (tuple("0123456789"), (), None)


def test_diabetes_is_a_regression_on_standardised_targets():
    data = load("diabetes")
    assert (data.x.shape, data.x_test.shape) == ((354, 10), (88, 10))
    assert (data.y.shape, data.y_test.shape) == ((354, 1), (88, 1))
    assert (data.y.dtype, data.y_test.dtype, data.classes) == (np.float32, np.float32, ())
    assert data.features[:4] == ("age", "sex", "bmi", "bp")
    raw = datasets.load_diabetes(scaled=False).target[:, None]  # pyright: ignore
    train, test = shuffled(442, 0.2, 0)
    assert data.scaling is not None
    assert data.scaling.target_mean is not None
    assert data.scaling.target_std is not None
    np.testing.assert_allclose(data.scaling.target_mean, raw[train].mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(data.scaling.target_std, raw[train].std(axis=0), rtol=1e-12)
    assert 40 < data.scaling.mean[0] < 60  # years: the raw units, not scikit-learn's scaled ones
    expected = (raw[test] - raw[train].mean()) / raw[train].std()
    np.testing.assert_allclose(data.y_test, expected, rtol=1e-6)


@pytest.mark.parametrize("name", TABULAR)
def test_features_are_standardised_by_the_training_part_alone(name):
    data = load(name)
    bunch = getattr(datasets, f"load_{name}")()
    train, test = stratified(bunch.target, 0.2, 0)
    mean, std = bunch.data[train].mean(axis=0), bunch.data[train].std(axis=0)
    assert data.scaling is not None
    np.testing.assert_allclose(data.scaling.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(data.scaling.std, std, rtol=1e-12)
    assert (data.scaling.target_mean, data.scaling.target_std) == (None, None)
    np.testing.assert_allclose(data.x, (bunch.data[train] - mean) / std, rtol=1e-6)
    np.testing.assert_allclose(data.x_test, (bunch.data[test] - mean) / std, rtol=1e-6)
    np.testing.assert_array_equal(data.y, bunch.target[train])
    np.testing.assert_array_equal(data.y_test, bunch.target[test])
    assert (data.features, data.pixel_max) == (tuple(bunch.feature_names), None)


def test_constant_feature_is_divided_by_one():
    # Thirty times 0.1 has a mean that is not 0.1, and so a deviation that is not 0.
    column = np.full((30, 1), 0.1)
    mean, std = statistics(column)
    assert std.tolist() == [1.0]
    np.testing.assert_allclose(standardise(column + 3, mean, std), 3.0, rtol=1e-6)


def test_arrays_are_read_only():
    data = load("iris")
    for array in (data.x, data.y, data.x_test, data.y_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("name", ["digits", "diabetes"])
def test_same_seed_gives_the_same_split_and_another_seed_another(name):
    assert_same(load(name, seed=7), load(name, seed=7))
    assert not np.array_equal(load(name, seed=7).x_test, load(name, seed=8).x_test)


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.99])
def test_stratified_split_is_exact_in_every_class(fraction):
    labels = np.repeat([0, 1, 2, 3], [2, 7, 31, 100])
    train, test = stratified(labels, fraction, seed=3)
    assert sorted([*train, *test]) == list(range(140))
    for label, count in enumerate([2, 7, 31, 100]):
        expected = min(max(round(fraction * count), 1), count - 1)
        assert np.sum(labels[test] == label) == expected


def test_seed_chooses_the_test_examples_and_not_only_their_order():
    labels = np.repeat([0, 1], 50)
    chosen = [set(stratified(labels, 0.2, seed)[1].tolist()) for seed in (0, 1)]
    assert chosen[0] != chosen[1]


def test_both_parts_are_in_random_order():
    labels = np.repeat([0, 1], 50)
    for part in stratified(labels, 0.5, seed=0):
        assert np.any(np.diff(labels[part]) < 0)


def test_shuffled_split_holds_every_example_once():
    train, test = shuffled(11, 0.3, seed=0)
    assert (len(test), sorted([*train, *test])) == (3, list(range(11)))


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_fraction_outside_zero_to_one_is_refused(name, fraction):
    with pytest.raises(DataError, match=f"test_fraction: expected .* got {fraction}"):
        load(name, test_fraction=fraction)


def test_negative_seed_is_refused():
    with pytest.raises(DataError, match="seed: expected an integer of at least 0, got -1"):
        load("iris", seed=-1)


def test_class_of_one_example_is_refused():
    with pytest.raises(DataError, match=r"class 5: expected at least 2 examples.* got 1"):
        stratified(np.array([4, 4, 5]), 0.5, seed=0)


def test_unknown_name_lists_the_names_and_suggests_one():
    with pytest.raises(DataError, match=f"one of {', '.join(NAMES)}; did you mean 'mnist'"):
        load("minst")
    with pytest.raises(DataError, match=r"data set 'zzz': expected one of [a-z_, ]+$"):
        load("zzz")


@pytest.mark.parametrize("name", bundled.SHAPES)
def test_second_load_reads_the_cache_and_not_sklearn(name, cache_folder, monkeypatch):
    first = load(name)
    assert [path.name for path in cache_folder.iterdir()] == [f"{name}-1.npz"]
    forbid_sklearn(monkeypatch)
    assert_same(load(name), first)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "fields", "shape"])
def test_damaged_cache_file_is_made_again(damage, cache_folder):
    first = load("iris")
    path = cache_folder / "iris-1.npz"
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[1000] ^= 1
    content = {"empty": b"", "cut": good[:-99], "flipped": bytes(flipped), "text": b"no"}
    if damage in content:
        path.write_bytes(content[damage])
    elif damage == "fields":
        np.savez(path, x=np.zeros((150, 4)))
    else:
        cache.write_arrays(path, bundled.Raw(*[np.zeros((150, 5))] * 4)._asdict())
    assert_same(load("iris"), first)
    assert path.read_bytes() == good


def test_unwritable_cache_folder_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load("iris").x.shape == (120, 4)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), cache.replacing(path) as temporary:
        temporary.write_text("half, and then what ASCII has not: é", encoding="ascii")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_cache_is_in_the_home_folder_without_an_absolute_xdg_path(value, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert cache.folder() == tmp_path / ".cache" / "jaxnn" / "data"


def test_missing_sklearn_says_what_to_install(monkeypatch):
    forbid_sklearn(monkeypatch)
    with pytest.raises(DataError, match=r"'iris' .* pip install 'jaxnn\[experiments\]'"):
        load("iris")


def test_import_brings_in_neither_jax_nor_sklearn_nor_pooch():
    code = (
        "import sys, experiments.data; "
        "sys.exit(', '.join({'jax', 'sklearn', 'pooch'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
