"""Metrics: what the scores of all examples or positions come to, each by its weight.

    metric = finish(sum_i w_i score_i / sum_i w_i)

A plain function of outputs and targets is a score whose mean is the metric. `jaxnn.evaluate`
weighs, and puts the metric under the name of the function or of the value.
"""

from typing import Any, ClassVar

import jax.numpy as jnp

from jaxnn.core.types import Array, Tree
from jaxnn.core.values import Static
from jaxnn.losses.cross_entropy import softmax_cross_entropy


class Metric(Static):
    """Base of the metrics that are more than a mean. A subclass writes `score` and `finish`; its
    `name`, given in brackets behind the class, is what the metric is found under."""

    name: ClassVar[str]

    def __init_subclass__(cls, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = name or cls.__name__

    def __repr__(self) -> str:
        return self.name

    def score(self, outputs: Array, y: Tree) -> Array:
        """A number for every example, (batch,), or for every position in it, (batch, ...)."""
        raise NotImplementedError(f"write {type(self).__name__}.score(self, outputs, y)")

    def finish(self, mean: Array) -> Array:
        """The metric, given the mean of the scores that count."""
        return mean


def check_metrics(metrics: Any) -> None:
    """Refuse what is no tuple of metrics and functions."""
    if not isinstance(metrics, tuple) or not all(
        isinstance(metric, Metric) or callable(metric) for metric in metrics
    ):
        raise TypeError(
            "evaluate: expected metrics as a tuple of functions of (outputs, y) such as "
            f"(accuracy,), or of values such as perplexity, got {metrics!r}"
        )


def accuracy(outputs: Array, y: Tree) -> Any:
    """1.0 where the largest output is that of the right class, else 0.0; (*batch,).

    y holds labels (*batch,) or, shaped like the outputs, one-hot rows. The first of tied outputs
    counts. Raises ValueError for other shapes and for a single output, which has no largest.
    """
    n = outputs.shape[-1]
    labels = jnp.argmax(y, -1) if y.shape == outputs.shape else y
    if labels.shape != outputs.shape[:-1] or n < 2:
        raise ValueError(
            f"accuracy: expected two or more outputs a class and labels or one-hot rows, got "
            f"outputs {outputs.shape} and y {y.shape}"
        )
    hit = jnp.argmax(outputs, -1).astype(jnp.int32) == labels.astype(jnp.int32)
    return hit.astype(outputs.dtype)


class Perplexity(Metric, name="perplexity"):
    """exp(mean of -log p_y), p = softmax(outputs); logits (*batch, n), y as for
    `softmax_cross_entropy`, of whose weights and smoothing nothing is in it."""

    def score(self, outputs: Array, y: Tree) -> Array:
        return softmax_cross_entropy(outputs, y)[0]

    def finish(self, mean: Array) -> Array:
        return jnp.exp(mean)


class BitsPerCharacter(Perplexity, name="bits_per_character"):
    """The mean of -log2 p_y, which is log2 of the perplexity."""

    def finish(self, mean: Array) -> Array:
        return mean / jnp.log(jnp.asarray(2, mean.dtype))


perplexity = Perplexity()
"""exp(mean -log p_y) from logits: among how many equally likely classes it is as hard to guess."""

bits_per_character = BitsPerCharacter()
"""mean -log2 p_y from logits: the bits that a code by p spends on a label."""
