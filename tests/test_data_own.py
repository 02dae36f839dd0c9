"""Tables of the user's own, .csv and .tsv files: what becomes of their columns."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from experiments.config.data import Data
from experiments.data import DataError, Dataset, read, tabular
from experiments.data.dataset import Column
from experiments.data.scaling import statistics
from experiments.data.split import stratified

HEADER = "length,colour,kind\n"
ROWS = [f"{i},{'red' if i % 3 else 'blue'},{'rose' if i % 2 else 'daisy'}\n" for i in range(1, 21)]
GOOD = HEADER + "".join(ROWS)


def write(folder: Path, text: str | bytes, name: str = "own.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def load(path: str, target: str = "kind", seed: int = 0, **keys) -> Dataset:
    return read(Data(path=path, target=target, **keys), seed)


def problem(path: str, target: str = "kind", **keys) -> str:
    """The error, without the path it starts with."""
    with pytest.raises(DataError) as caught:
        load(path, target, **keys)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def raw(data: Dataset) -> np.ndarray:
    """The training inputs in the units of the file."""
    assert data.scaling is not None
    return data.x * data.scaling.std + data.scaling.mean


def test_numbers_are_standardised_by_the_training_part_and_texts_become_0_and_1(tmp_path):
    data = load(write(tmp_path, GOOD), validation_fraction=0.25)
    assert (data.name, data.classes) == ("own.csv", ("daisy", "rose"))
    assert data.features == ("length", "colour=blue", "colour=red")
    assert data.columns == (Column("length"), Column("colour", ("blue", "red")))
    assert (data.x.dtype, data.y.dtype, data.pixel_max) == (np.float32, np.int32, None)
    assert data.x_validation is not None
    assert data.scaling is not None
    assert [len(x) for x in (data.x, data.x_validation, data.x_test)] == [12, 4, 4]
    labels = np.arange(1, 21) % 2
    train, test = stratified(labels, 0.2, 0)
    inner, validation = stratified(labels[train], 0.25, [0, 1])
    length = np.arange(1.0, 21)[train][inner]
    assert (data.scaling.mean.tolist(), data.scaling.std.tolist()) == (
        [length.mean(), 0, 0],
        [length.std(), 1, 1],
    )
    np.testing.assert_allclose(raw(data)[:, 0], length, rtol=1e-6)
    np.testing.assert_array_equal(data.x[:, 1], length % 3 == 0)
    np.testing.assert_array_equal(data.x[:, 2], length % 3 != 0)
    expected = (np.arange(1.0, 21)[train][validation] - length.mean()) / length.std()
    np.testing.assert_allclose(data.x_validation[:, 0], expected, rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, labels[test])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("\n", "\n\n").rstrip("\n").encode(),
        lambda text: text.replace("length,", " length , ").encode(),
        lambda text: text.replace("red", '"red"').encode(),
    ],
    ids=["BOM", "CRLF", "semicolons", "tabs", "blank lines", "spaces in the header", "quotes"],
)
def test_what_spreadsheets_write_reads_the_same(change, tmp_path):
    expected = load(write(tmp_path, GOOD))
    data = load(write(tmp_path, change(GOOD)))
    np.testing.assert_array_equal(data.x, expected.x)
    np.testing.assert_array_equal(data.y, expected.y)
    assert (data.features, data.classes) == (expected.features, expected.classes)


def test_a_tsv_is_separated_by_tabs_whatever_its_header_says(tmp_path):
    text = "a,b,c\tkind\n" + "".join(f"{i}\tk{i % 2}\n" for i in range(8))
    assert load(write(tmp_path, text, "own.tsv")).features == ("a,b,c",)


names = st.text("abcXYZ é,;\"'\n", min_size=1, max_size=6).filter(lambda text: text.strip())


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), names, st.integers(0, 2)),
        min_size=6,
        max_size=12,
    ),
    separator=st.sampled_from(",;\t"),
)
def test_what_was_written_reads_back_the_same(rows, separator, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "own.csv"
    numbers = [number for number, _, _ in rows]
    texts = [f"t{text}" for _, text, _ in rows]  # no text is a number
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["number", "text", "kind"])
        writer.writerows(
            [number, text, kind]
            for number, text, (_, _, kind) in zip(numbers, texts, rows, strict=True)
        )
    table = tabular.read_columns(path, ["text", "number"])
    column = Column("text", tuple(sorted(set(texts))))
    x = tabular.features(table, [Column("number"), column])
    assert x[:, 0].tolist() == numbers
    assert [column.categories[i] for i in x[:, 1:].argmax(1)] == texts
    np.testing.assert_array_equal(x[:, 1:].sum(1), 1)


def test_amounts_are_standardised_targets(tmp_path):
    text = "a,amount\n" + "".join(f"{i},{i / 4}\n" for i in range(10))
    data = load(write(tmp_path, text), "amount")
    assert (data.classes, data.y.shape, data.y.dtype) == ((), (8, 1), np.float32)
    assert data.scaling is not None
    assert data.scaling.target_mean is not None
    assert data.scaling.target_std is not None
    mean, std = statistics(raw(data)[:, :1] / 4)
    np.testing.assert_allclose(data.scaling.target_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(data.scaling.target_std, std, rtol=1e-6)


WHOLE = "a,n\n" + "".join(f"{i},{i % 3}\n" for i in range(12))


def test_whole_numbers_are_classes_or_amounts_as_the_task_says(tmp_path):
    path = write(tmp_path, WHOLE)
    assert problem(path, "n") == (
        "column 'n': has 3 different whole numbers, which can be classes or amounts; "
        "set data.task to 'classification' or 'regression'"
    )
    assert load(path, "n", task="classification").classes == ("0", "1", "2")
    assert load(path, "n", task="regression").classes == ()
    two = write(tmp_path, WHOLE.replace(",2\n", ",10\n").replace(",0\n", ",1\n"))
    assert load(two, "n").classes == ("1", "10")  # by their size: 10 is not before 2 either


def test_classes_that_are_numbers_have_one_name_and_the_order_of_numbers(tmp_path):
    text = WHOLE.replace(",0\n", ",1e1\n").replace(",2\n", ",02.50\n").replace(",1\n", ",1.0\n")
    path = write(tmp_path, text)
    test = write(tmp_path, "n,a\n10.0,1\n1,1\n2.5,1\n", "test.csv")
    data = load(path, "n", task="classification", test_path=test)
    assert (data.classes, data.y_test.tolist()) == (("1", "2.5", "10"), [2, 0, 1])


def test_columns_to_ignore_may_hold_anything(tmp_path):
    text = "id,length,kind\n" + "".join(f",{i},k{i % 2}\n" for i in range(8))
    assert load(write(tmp_path, text), ignore=("id",)).features == ("length",)


def test_a_test_file_has_its_own_rows_and_the_categories_of_the_other(tmp_path):
    path = write(tmp_path, GOOD)
    other = "kind,id,colour,length\nrose,7,red,3\ndaisy,8,red,5\n"
    data = load(path, test_path=write(tmp_path, other, "test.csv"))
    assert len(data.x) == 20
    assert data.scaling is not None
    found = data.x_test * data.scaling.std + data.scaling.mean
    np.testing.assert_allclose(found, [[3, 0, 1], [5, 0, 1]], rtol=1e-6)
    assert data.y_test.tolist() == [1, 0]
    wrong = other.replace("daisy", "tulip")
    with pytest.raises(DataError, match=r"test.csv: 1 problem.*\n.*line 3, column 'kind': .*tulip"):
        load(path, test_path=write(tmp_path, wrong, "test.csv"))
    wrong = other.replace("8,red", "8,green")
    with pytest.raises(
        DataError, match=r"line 3, column 'colour': expected one of blue, red \(got"
    ):
        load(path, test_path=write(tmp_path, wrong, "test.csv"))
    with pytest.raises(DataError, match=r"data.test_path: expected the form of"):
        load(path, test_path=write(tmp_path, b"", "test.npz"))


def test_a_path_to_nothing_is_shown_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        load("flowers.csv")
    assert str(caught.value) == (
        f"data.path: no such file or folder: flowers.csv (looked for {tmp_path / 'flowers.csv'})"
    )
    write(tmp_path, GOOD, "flowers.txt")
    with pytest.raises(DataError, match=r"expected a .csv, .tsv or .npz file, or a .* got '.txt'"):
        read(Data(path="flowers.txt"), 0)
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, GOOD, "flowers.csv")
    assert load("~/flowers.csv").name == "flowers.csv"
