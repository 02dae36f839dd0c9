"""Tables of the user's own that are refused: what is wrong is said with its line and column."""

from pathlib import Path

import pytest

from experiments.config.data import Data
from experiments.data import DataError, Dataset, limits, read

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


def test_missing_values_are_listed_by_line_and_column_and_counted(tmp_path):
    rows = [*ROWS]
    for i, cell in enumerate(["", "?", "NA", "nan", "N/A", "null", " ", "NaN", "na", "NULL"]):
        rows[i] = f"{cell},red,rose\n"
    rows[11] = "12,,rose\n"
    rows[12] = "13,red,rose,more\n"
    lines = problem(write(tmp_path, HEADER + "".join(rows))).splitlines()
    assert lines[0] == (
        "12 problems; fill in what is missing, or leave the row out, the first ten:"
    )
    assert lines[1] == "  line 14: expected 3 cells, as in the header, got 4"
    assert lines[2] == "  line 2, column 'length': missing value (got '')"
    assert len(lines) == 11


def test_a_line_is_that_of_the_file_also_behind_line_breaks_in_quotes(tmp_path):
    text = '\n"a\n",kind\n?,"two\nlines"\n\nNA,b\n'
    found = problem(write(tmp_path, text))
    assert "line 4, column 'a': missing value (got '?')" in found
    assert "line 7, column 'a': missing value (got 'NA')" in found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty, expected a header row and rows below it"),
        (HEADER, "expected rows below the header, found none"),
        (GOOD.replace("length", "kind", 1), "two columns are called 'kind'; rename one of them"),
        (GOOD.replace("length", "", 1), "column 1 has no name in the header; write one"),
        (GOOD.replace("kind", "Kind", 1), "has no column 'kind', named by data.target, did you me"),
        (HEADER + '1,"red,rose\n', "line 2: not a table in CSV: unexpected end of data"),
        (HEADER + '1,"r"d,rose\n', "line 2: not a table in CSV: ',' expected after '\"'"),
        (HEADER + f"1,{'x' * 200_000},rose\n", "line 2: not a table in CSV: field larger than fi"),
        (GOOD.encode() + b"1,\xe9,rose\n", "expected text in UTF-8, found the byte 0xe9; save it"),
        (GOOD.encode("utf-16"), "expected text in UTF-8, found the byte 0xff; save it again as"),
        (GOOD.replace("blue", "red"), "column 'colour': is red in every row, which tells no row"),
        (GOOD.replace("rose", "daisy"), "column 'kind': expected between 2 and 1000 classes, foun"),
        (GOOD + "21,red,tulip\n", "class 'tulip': expected at least 2 examples, one for each par"),
        ("kind\nrose\ndaisy\n", "expected a column beside the target 'kind', found none"),
        (
            HEADER + "".join(f'"{i},5",{i % 2},k{i % 2}\n' for i in range(9)),
            "column 'length': has commas in its numbers, expected points, as in 1.5 (got '0,5')",
        ),
        (
            HEADER + "".join(f"{i},{i % 2},k{i % 2}\n" for i in range(40)) + "O,1,k1\n",
            "line 42, column 'length': expected a number, as in most rows (got 'O'); correct it",
        ),
    ],
)
def test_what_is_no_good_table_is_refused(text, line, tmp_path):
    path = write(tmp_path, text)
    if "tulip" in str(text):  # a matter of the split, which knows no file
        with pytest.raises(DataError, match=line):
            load(path)
    else:
        assert problem(path).startswith(line)


@pytest.mark.parametrize("cell", ["1_000", "inf", "-Infinity", "0x10", "one"])
def test_what_is_no_finite_decimal_number_makes_a_column_of_texts(cell, tmp_path):
    path = write(tmp_path, f'a,kind\n1,x\n"{cell}",y\n1,x\n1,y\n')
    assert load(path).columns[0].categories == tuple(sorted(["1", cell]))


def test_a_column_of_too_many_texts_is_refused_with_the_first_that_is_no_number(
    tmp_path, monkeypatch
):
    rows = "".join(f"{i},k{i % 2}\n" for i in range(5000))
    message = "column 'a': has more than 1000 different texts, such as 'x' in line 5002, which is"
    assert problem(write(tmp_path, f"a,kind\n{rows}x,k0\n")).startswith(message)
    monkeypatch.setattr(limits, "ARRAY_BYTES", 1000)
    size = "the features of its rows would take 39.1 KiB, the limit is 1000 bytes"
    assert problem(write(tmp_path, f"a,kind\n{rows}")).startswith(size)


def test_targets_that_do_not_suit_the_task_are_refused(tmp_path):
    path = write(tmp_path, GOOD)
    line = "column 'kind': expected numbers, as data.task is 'regression', found 'rose'"
    assert problem(path, task="regression") == line
    path = write(tmp_path, "a,b\n" + "".join(f"{i},2.5\n" for i in range(5)))
    assert problem(path, "b").startswith("column 'b': is 2.5 in every example, so there is nothing")


def test_a_file_above_the_limit_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "TABLE_BYTES", len(GOOD) - 1)
    assert problem(write(tmp_path, GOOD)) == (
        f"has {len(GOOD)} bytes, and text is read up to {len(GOOD) - 1} bytes; "
        "save it as arrays x and y in an .npz file, which is smaller and faster"
    )
