"""`predict RUN DATA`: what a trained network says of new examples, as a table."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.common.failures import ConfigError, Failure
from experiments.common.parser import Parser

if TYPE_CHECKING:
    import numpy as np

    from experiments.data.description import Description
    from experiments.training.stored import Stored

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
    from experiments.training.stored import open_run

    stored = open_run(own.run)
    # Beside the network that made them: the folder of the data need not be ours to write to.
    path = own.out or own.run / f"predictions-{own.data.resolve().stem}.csv"
    _refuse_taken(path)
    _write(path, _table(stored, own.data, own.best))
    print(path)
    return 0


def _table(stored: "Stored", data: Path, best: bool) -> Iterator[Sequence[object]]:
    """The header, then the row of every example."""
    from experiments.data.own import locate
    from experiments.data.unseen import new_examples

    description: Description = stored.description
    names, x = new_examples(description, locate(str(data), "DATA"))
    import jaxnn as nn  # what predicts comes after the examples are right

    net, params = stored.network(best)
    outputs = nn.predict(net, params, x, batch_size=1024)
    rows = _of_classes if description["classes"] else _of_amounts
    header, *values = rows(stored, description, outputs)
    yield ("row" if isinstance(names[0], int) else "file", *header)
    for name, row in zip(names, values, strict=True):
        yield (name, *row)


def _of_classes(
    stored: "Stored", description: "Description", outputs: Any
) -> Iterator[Sequence[object]]:
    """Header and rows: the class with the largest share, then the share of each."""
    import numpy as np

    from experiments.training.build import loss
    from experiments.training.scores import probabilities

    spec, classes = stored.experiment.model, description["classes"]
    p = probabilities(loss(spec), np.asarray(outputs))
    if p.shape[-1] == 1:  # of two classes, that of the second
        p = np.concatenate([1 - p, p], axis=-1)
    what = "p" if spec.loss.kind.endswith("cross_entropy") else "score"
    yield ("predicted", *(f"{what}({name})" for name in classes))
    for row in p:
        yield (classes[row.argmax()], *map(_number, row))


def _of_amounts(
    stored: "Stored", description: "Description", outputs: Any
) -> Iterator[Sequence[object]]:
    """Header and rows: the targets in the units they were measured in."""
    import numpy as np

    scaling = description["target_scaling"]
    amounts = np.asarray(outputs, np.float64)
    if scaling:
        amounts = amounts * np.array(scaling["std"]) + np.array(scaling["mean"])
    k = amounts.shape[-1]
    yield ["predicted"] if k == 1 else [f"predicted {i}" for i in range(k)]
    for row in amounts:
        yield [_number(value) for value in row]


def _number(value: "np.floating") -> str:
    return f"{value:.9g}"  # as many digits as a float32 has


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
