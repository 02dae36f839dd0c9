"""Cross-entropy of a softmax: smoothed labels, ignored rows, one value per row or their mean.

    l_n = -sum_c t_nc log p_nc where row n is valid, else 0,   p = softmax(logits)
    t = (1 - s) onehot(label) + s / classes
    dlogits_n = (dy_n / n_valid) (p_n - t_n) where row n is valid, else 0

A label of -1 marks a row that is ignored. n_valid is the same in every draw, which rows are not.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.model import Mistake
from experiments.bench.mistakes.planting import normal, planted

ROWS, VALID, CLASSES = 17, 13, 5
SMOOTHING = 0.1
CLIP = 0.1  # more than 1 / VALID: it never binds at dy = 1


def draw_labels(rng: np.random.Generator, rows: int, valid: int, classes: int) -> Any:
    """Labels (rows,), -1 in all but `valid` rows, and never in the last."""
    labels = rng.integers(classes, size=rows)
    labels[rng.choice(rows - 1, rows - valid, replace=False)] = -1
    return jnp.asarray(labels, jnp.int32)


def draw(seed: int) -> tuple[Any, ...]:
    """Logits (rows, classes) and labels (rows,)."""
    rng = np.random.default_rng(seed)
    return normal(rng, ROWS, CLASSES), draw_labels(rng, ROWS, VALID, CLASSES)


def targets(labels: Any, like: Any, smoothing: float) -> Any:
    """t in the shape and dtype of the logits `like`."""
    classes = like.shape[-1]
    onehot = jax.nn.one_hot(labels, classes, dtype=like.dtype)
    return (1 - smoothing) * onehot + smoothing / classes


def per_row(logits: Any, labels: Any) -> Any:
    """l (rows,)."""
    t = targets(labels, logits, SMOOTHING)
    return jnp.where(labels >= 0, -(t * jax.nn.log_softmax(logits)).sum(-1), 0)


def mean(logits: Any, labels: Any) -> Any:
    """The sum of l over n_valid, a scalar."""
    return per_row(logits, labels).sum() / (labels >= 0).sum().astype(logits.dtype)


def backward(averaged: bool, mistake: int, args: tuple[Any, ...], dy: Any) -> tuple[Any, ...]:
    """dlogits for dy () of the mean, or (rows,) of the values per row; None for the labels."""
    logits, labels = args
    rows, classes = logits.shape
    valid = labels >= 0
    n = valid.sum().astype(logits.dtype)
    if mistake == 1:
        dy = jnp.ones_like(dy)
    if mistake == 2:
        dy = jnp.broadcast_to(dy[0], dy.shape)
    divisor = {3: 1, 4: rows, 5: classes, 6: n - 1}.get(mistake, n) if averaged else 1
    kept = {11: jnp.ones_like(valid), 12: ~valid}.get(mistake, valid).astype(logits.dtype)
    if mistake == 9:
        labels = (labels + 1) % classes
    t = targets(labels, logits, 0 if mistake == 10 else SMOOTHING)
    p = 0 if mistake == 8 else jax.nn.softmax(logits)
    dlogits = (dy * kept / divisor)[:, None] * (t - p if mistake == 7 else p - t)
    return jnp.clip(dlogits, -CLIP, CLIP) if mistake == 13 else dlogits, None


def known(logits: Any, labels: Any) -> dict[str, Any]:
    """The mask of the rows that count, (rows, 1); there p and what smoothing adds to t."""
    mask = (labels >= 0).astype(logits.dtype)[:, None]
    smoothing = targets(labels, logits, SMOOTHING) - targets(labels, logits, 0)
    return {"mask": mask, "softmax": mask * jax.nn.softmax(logits), "smoothing": mask * smoothing}


MODELS = (
    planted(
        "cross_entropy_rows",
        per_row,
        functools.partial(backward, False),
        draw,
        (
            Mistake(1, "upstream ignored", "[0]", "upstream"),
            Mistake(2, "upstream row 0 broadcast", "[0]"),
        ),
        constants={"batch": ROWS, "valid": VALID, "classes": CLASSES},
        known=known,
    ),
    planted(
        "cross_entropy_mean",
        mean,
        functools.partial(backward, True),
        draw,
        (
            Mistake(3, "missing 1/n", "[0]", "scale"),
            Mistake(4, "divides by batch, not by valid count", "[0]", "scale"),
            Mistake(5, "divides by classes", "[0]", "scale"),
            Mistake(6, "n - 1", "[0]", "scale"),
            Mistake(7, "sign", "[0]", "sign"),
            Mistake(8, "softmax term forgotten", "[0]"),
            Mistake(9, "target off by one", "[0]"),
            Mistake(10, "label smoothing dropped", "[0]", "term"),
            Mistake(11, "ignore mask dropped", "[0]", "mask"),
            Mistake(12, "ignore mask inverted", "[0]"),
            Mistake(13, "logit gradient clipped", "[0]", "clipped|upstream"),
        ),
        constants={"batch": ROWS, "valid": VALID, "classes": CLASSES},
        known=known,
    ),
)
