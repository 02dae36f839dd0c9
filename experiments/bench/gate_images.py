"""The layers for images, and norms, that `bench gate` watches, with the shapes of their inputs."""

from collections.abc import Callable

import jaxnn as nn

IMAGES: tuple[tuple[tuple[int, ...], Callable[[], nn.Layer]], ...] = (
    ((8, 28, 28, 1), lambda: nn.Conv(20, 5)),  # dx by one product
    ((8, 14, 14, 32), lambda: nn.Conv(64, 3, padding="SAME")),
    ((8, 7, 7, 32), lambda: nn.ConvTranspose(16, 3, 2, padding="SAME")),
    ((8, 14, 14, 8), lambda: nn.LocallyConnected(8, 3)),
    ((1024, 512), lambda: nn.LayerNorm()),  # in parts
    ((16, 24, 96), lambda: nn.RMSNorm()),
    ((16, 24, 96), lambda: nn.GroupNorm(8)),
    ((16, 24, 96), lambda: nn.InstanceNorm()),
    ((64, 96), lambda: nn.WeightNorm(nn.Dense(128))),
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
