"""The images of the recorded runs: MNIST as the book splits and scales it, in float64."""

from typing import Any, Literal, NamedTuple

import numpy as np

from experiments.data import mnist

Evaluation = Literal["validation", "test"]
EVALUATION = 10_000  # images in either


class Part(NamedTuple):
    """Examples: x (n, 784) in [0, 1), and one-hot rows y (n, 10), both float64."""

    x: Any
    y: Any


def parts(n: int, evaluation: Evaluation) -> tuple[Part, Part]:
    """The first n of the 50,000 training images, and the images that are not trained on.

    "validation" is the last 10,000 images of MNIST's training file, "test" its 10,000 test images.
    Raises DataError where MNIST is missing.
    """
    data = mnist.load()
    if evaluation == "validation":
        return _part(data.x[:n], data.y[:n]), _part(data.x[50_000:], data.y[50_000:])
    return _part(data.x[:n], data.y[:n]), _part(data.x_test, data.y_test)


def _part(images: np.ndarray, labels: np.ndarray) -> Part:
    # The book's copy of MNIST divides by 256, not by the largest byte.
    return Part(images.reshape(len(images), -1) / 256.0, np.eye(10)[labels])
