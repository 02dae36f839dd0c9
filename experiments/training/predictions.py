"""What a trained network says of new examples: a header and a row for each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.description import Description
from experiments.data.own import locate
from experiments.data.unseen import new_examples
from experiments.training.stored import Stored


def table(stored: Stored, data: Path, best: bool) -> Iterator[Sequence[object]]:
    """The header, then the row of every example in the file or folder `data`.

    Raises DataError for examples that are not like those the run was trained on.
    """
    description = stored.description
    names, x = new_examples(description, locate(str(data), "DATA"))
    import jaxnn as nn  # slow, and the examples may be refused before it

    net, params = stored.network(best)
    outputs = nn.predict(net, params, x, batch_size=1024)
    rows = _of_classes if description["classes"] else _of_amounts
    header, *values = rows(stored, description, outputs)
    yield ("row" if isinstance(names[0], int) else "file", *header)
    for name, row in zip(names, values, strict=True):
        yield (name, *row)


def _of_classes(
    stored: Stored, description: Description, outputs: Any
) -> Iterator[Sequence[object]]:
    """Header and rows: the class with the largest share, then the share of each."""
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
    stored: Stored, description: Description, outputs: Any
) -> Iterator[Sequence[object]]:
    """Header and rows: the targets in the units they were measured in."""
    scaling = description["target_scaling"]
    amounts = np.asarray(outputs, np.float64)
    if scaling:
        amounts = amounts * np.array(scaling["std"]) + np.array(scaling["mean"])
    k = amounts.shape[-1]
    yield ["predicted"] if k == 1 else [f"predicted {i}" for i in range(k)]
    for row in amounts:
        yield [_number(value) for value in row]


def _number(value: np.floating) -> str:
    return f"{value:.9g}"  # as many digits as a float32 has
