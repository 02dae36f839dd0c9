"""The layers for images that `bench gate` watches, with the shapes of their inputs."""

from collections.abc import Callable

import jaxnn as nn

IMAGES: tuple[tuple[tuple[int, ...], Callable[[], nn.Layer]], ...] = (
    ((8, 28, 28, 32), lambda: nn.MaxPool(2)),
    ((8, 28, 28, 32), lambda: nn.MaxPool(4)),
    ((8, 28, 28, 32), lambda: nn.MaxPool(3, 2, 1)),
    ((8, 28, 28, 32), lambda: nn.AvgPool(2)),
    ((8, 28, 28, 32), lambda: nn.AvgPool(3, 2, 1)),
    ((8, 28, 28, 32), lambda: nn.GlobalMaxPool()),
    ((8, 28, 28, 32), lambda: nn.GlobalAvgPool()),
    ((8, 28, 28, 32), lambda: nn.AdaptiveMaxPool(3)),
    ((8, 28, 28, 32), lambda: nn.AdaptiveAvgPool(3)),
    ((8, 28, 28, 32), lambda: nn.Pad(2, mode="reflect")),
    ((8, 14, 14, 32), lambda: nn.Upsample(2, "linear")),
    ((64, 96), lambda: nn.serial(nn.Reshape((12, 8)), nn.Transpose((2, 1)))),
)
