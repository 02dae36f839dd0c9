"""How good a network is on the parts of a task: the loss, and scores of what it predicts.

Outputs are computed once for each part; every score is taken from them in numpy, in float64. The
names of scores are put behind that of the part: `test_accuracy`. For classes, with p the share an
output gives its class (softmax or sigmoid where the loss has that inside, else the output itself):

    accuracy      share of examples whose largest output is that of their class
    top_3, top_5  share whose class is among so many largest outputs; the first of tied ones counts
    f1            2 TP / (2 TP + FP + FN) of each class that is there or predicted, averaged
    auc           how often an example of a class has a larger p of it than one of another class, a
                  tie counting half; averaged over the classes there are examples of
    perplexity    e to the mean of -log p
    bits_per_character  the mean of -log2 p, of data whose classes are characters

For numbers to predict, with a mean over the outputs that counts each alike:

    r2            1 - sum_n (a - y)^2 / sum_n (y - mean y)^2; of a constant y 1 if met, else 0
    mae           mean |a - y|

All are nan where an output is not finite, as is the auc of examples of a single class. Numbers are
those of scikit-learn. Sources: Fawcett 2006, sections 7 and 9.2 (auc, one class against the rest).
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Experiment
from experiments.training.task import Part, Task
from jaxnn.core.layer import outputs_like
from jaxnn.sweep.weighing import objective

OF_CLASSES = ("accuracy", "top_3", "top_5", "f1", "auc", "perplexity", "bits_per_character")
OF_NUMBERS = ("r2", "mae")


def scores(
    task: Task, params: Any, parts: Sequence[str] = ("train", "test"), metrics: Sequence[str] = ()
) -> dict[str, float]:
    """{"train_loss": ..., "train_accuracy": ..., ...}: loss, accuracy or r2, and the metrics asked
    for, of each part."""
    found = {}
    for name in parts:
        part: Part = getattr(task, name)
        outputs, loss = jax.device_get(_outputs(task.net, task.loss, params, part.x, part.y))
        y, found[f"{name}_loss"] = np.asarray(part.y), float(loss)
        first = OF_NUMBERS[0] if labels(y) is None else OF_CLASSES[0]
        for metric in (first, *metrics):
            found[f"{name}_{metric}"] = score(metric, task.loss, outputs, y)
    return found


@jax.jit
def _outputs(net: nn.Layer, loss: nn.Loss, params: Any, x: Any, y: Any) -> tuple[Any, Any]:
    outputs = nn.predict(net, params, x, batch_size=4096)
    return outputs, objective(loss, outputs, y)[0]


def score(metric: str, loss: nn.Loss, outputs: np.ndarray, y: np.ndarray) -> float:
    """One score of outputs (n, k), for targets as the loss takes them."""
    if not np.isfinite(outputs).all():
        return math.nan
    classes = labels(y)
    if classes is None:
        a = probabilities(loss, outputs)
        return float(_r2(a, y) if metric == "r2" else np.abs(a - y).mean())
    if metric.startswith("top_"):
        return float((_rank(outputs, classes) < int(metric[4:])).mean())
    if metric == "auc":
        return _auc(probabilities(loss, outputs), classes)
    if metric in ("perplexity", "bits_per_character"):
        bits = _bits(probabilities(loss, outputs), classes)
        return bits if metric == "bits_per_character" else float(np.exp2(bits))
    predicted = _predicted(outputs)
    return float((predicted == classes).mean()) if metric == "accuracy" else _f1(predicted, classes)


def labels(y: np.ndarray) -> np.ndarray | None:
    """The class of each example, (n,); None if y holds numbers to predict.

    Classes are whole numbers, or rows with one 1 among zeros.
    """
    if np.issubdtype(y.dtype, np.integer):
        return y.reshape(len(y))
    one_hot = y.shape[-1] > 1 and ((y == 0) | (y == 1)).all() and (y.sum(-1) == 1).all()
    return y.argmax(-1) if one_hot else None


def probabilities(loss: nn.Loss, outputs: np.ndarray) -> np.ndarray:
    """The outputs as the loss reads them: through its softmax or sigmoid, if it has one inside."""
    z = outputs.astype(np.float64)
    if isinstance(loss, type(nn.softmax_cross_entropy)):
        e = np.exp(z - z.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)
    if isinstance(loss, type(nn.sigmoid_cross_entropy)):
        return 0.5 + 0.5 * np.tanh(0.5 * z)
    return z


def _predicted(outputs: np.ndarray) -> np.ndarray:
    """The class with the largest output; a single one is the logit of the second class of two."""
    return (outputs[:, 0] > 0).astype(int) if outputs.shape[-1] == 1 else outputs.argmax(-1)


def _rank(outputs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """How many outputs come before that of the right class, (n,)."""
    own = outputs[np.arange(len(outputs)), classes][:, None]
    earlier = np.arange(outputs.shape[-1]) < classes[:, None]
    return ((outputs > own) | (earlier & (outputs == own))).sum(-1)


def _f1(predicted: np.ndarray, classes: np.ndarray) -> float:
    n = 1 + int(max(classes.max(), predicted.max()))
    hits = np.bincount(classes[predicted == classes], minlength=n)
    both = np.bincount(classes, minlength=n) + np.bincount(predicted, minlength=n)
    return float((2 * hits[both > 0] / both[both > 0]).mean())


def _auc(p: np.ndarray, classes: np.ndarray) -> float:
    there = np.unique(classes) if p.shape[-1] > 1 else np.ones(1, int)
    return float(np.mean([_area(p[:, min(k, p.shape[-1] - 1)], classes == k) for k in there]))


def _bits(p: np.ndarray, classes: np.ndarray) -> float:
    """The mean of -log2 p of the class; infinite where a class has p 0."""
    if p.shape[-1] == 1:
        p = np.concatenate([1 - p, p], -1)
    with np.errstate(divide="ignore", invalid="ignore"):  # an output may be no share at all: nan
        return float(-np.log2(p[np.arange(len(p)), classes]).mean())


def _area(p: np.ndarray, positive: np.ndarray) -> float:
    """The share of pairs, one of each side, in which the positive one has the larger p: how many
    positives beat of all examples, less of each other. nan where a side is empty."""
    n = int(positive.sum())
    if not 0 < n < len(p):
        return math.nan
    own, every = p[positive], np.sort(p)
    beaten = np.searchsorted(every, own, "left") + np.searchsorted(every, own, "right")
    return (float(beaten.sum()) - n * n) / (2 * n * (len(p) - n))


def _r2(a: np.ndarray, y: np.ndarray) -> np.floating:
    y = y.astype(np.float64)
    missed, spread = ((a - y) ** 2).sum(0), ((y - y.mean(0)) ** 2).sum(0)
    constant = np.where(missed == 0, 1.0, 0.0)
    return np.where(spread > 0, 1 - missed / np.where(spread > 0, spread, 1), constant).mean()


def check_metrics(experiment: Experiment, task: Task) -> None:
    """Raise ConfigError for a score in `train.metrics` or `train.monitor` that does not fit."""
    train = experiment.train
    classes = labels(np.asarray(task.train.y)) is not None
    fit = OF_CLASSES if classes else OF_NUMBERS
    have = "classes" if classes else "numbers to predict"
    for key, names in (("metrics", train.metrics), ("monitor", (train.monitor,))):
        for name in names:
            if name not in ("loss", *fit):
                raise ConfigError(
                    f"train.{key}: '{name}' does not fit data with {have}, known for these: "
                    f"{', '.join(fit)}"
                )
    for name in train.metrics:
        if name.startswith("top_") and int(name[4:]) >= (n := _n_classes(task)):
            raise ConfigError(
                f"train.metrics: expected more than {name[4:]} classes for '{name}', got {n}, of "
                "which every one is among them"
            )


def _n_classes(task: Task) -> int:
    x = jax.ShapeDtypeStruct((2, *task.train.x.shape[1:]), task.train.x.dtype)
    return max(outputs_like(task.net, x).shape[-1], 2)


def angles(task: Task, params: Any, examples: int = 1000) -> dict[str, float]:
    """`alignment` on the first training examples, by weight and by what is compared.

    Where there is nothing to compare it is left out: the first layer with weights has no B, so no
    angle of "weights".
    """
    part, key = task.train, jax.random.key(0)
    found = nn.feedback.alignment(
        task.net, task.loss, params, part.x[:examples], part.y[:examples], key
    )
    flat = {
        f"{path} {k}": float(v) for path, row in found.items() for k, v in row._asdict().items()
    }
    return {name: value for name, value in flat.items() if math.isfinite(value)}
