"""`predict RUN DATA`: what a trained network says of new examples, as a table."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.common.failures import ConfigError, Failure
from experiments.common.parser import Parser

_ABOUT = """\
Write what the network of RUN says of the examples in DATA, a row for each: the number of its
row or the name of its file; the predicted class and the probability of each, p(CLASS), or
score(CLASS) where the loss makes no probabilities of the outputs; for amounts, the prediction in
the units of the training data.

DATA is a .csv or .tsv file with the columns of the training data (others, the target among them,
are not looked at), an .npz file with an array x, an image, or a folder of images."""


def main(words: list[str]) -> int:
    """Write the table, print its path, and return 0."""
    parser = Parser("predict", "RUN DATA [--out FILE.csv] [--best]", _ABOUT)
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder, such as runs/0001-digits")
    parser.add_argument("data", type=Path, metavar="DATA", help="a file, or a folder of images")
    out = "(RUN/predictions-DATA.csv)"
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help=out)
    parser.add_argument("--best", action="store_true", help="the network of the best epoch")
    own = parser.parse_args(words)
    from experiments.training.predictions import table
    from experiments.training.stored import open_run

    stored = open_run(own.run)
    # Beside the network that made them: the folder of the data need not be ours to write to.
    path = own.out or own.run / f"predictions-{own.data.resolve().stem}.csv"
    _refuse_taken(path)
    _write(path, table(stored, own.data, own.best))
    print(path)
    return 0


def _refuse_taken(path: Path) -> None:
    if path.exists():
        raise ConfigError(f"--out: {path} is there already, and is not overwritten; name another")


def _write(path: Path, rows: Iterator[Sequence[object]]) -> None:
    """Write the rows as CSV, whole or not at all."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
    except FileExistsError:
        _refuse_taken(path)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise Failure(f"--out: cannot write {path}: {error.strerror}") from None
