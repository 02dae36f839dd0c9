"""Networks for images that everybody knows, as functions that return layers."""

from jaxnn.core.layer import Layer
from jaxnn.initializers import he
from jaxnn.layers.activations import linear, relu
from jaxnn.layers.batch_norm import BatchNorm
from jaxnn.layers.combinators import serial
from jaxnn.layers.dense import Dense
from jaxnn.layers.images.conv import Conv
from jaxnn.layers.images.max_pool import MaxPool
from jaxnn.layers.images.whole import GlobalAvgPool
from jaxnn.layers.parallel import Parallel
from jaxnn.layers.reshape import Flatten


def lenet(classes: int = 10, channels: tuple[int, int] = (20, 50), hidden: int = 500) -> Layer:
    """Two convolutions of 5 x 5 with max-pools of 2 x 2, and two dense layers; relu between them.

    For x (batch, 28, 28, 1), or other sizes and channels. LeNet-5 itself has 6 and 16 planes, 120
    and 84 hidden units, tanh, and a pool with weights; this is what goes by its name today.
    Source: LeCun et al. 1998, section 2.
    """
    first, second = channels
    return serial(
        *(Conv(first, 5, w_init=he), relu, MaxPool(2)),
        *(Conv(second, 5, w_init=he), relu, MaxPool(2)),
        *(Flatten(), Dense(hidden, w_init=he), relu, Dense(classes)),
    )


def resnet_block(n_out: int, stride: int = 1, *, same: bool = True) -> Layer:
    """relu(x + F(x)), F two convolutions of 3 x 3, each with a batch-norm behind it.

    With a stride, or where x has other channels than n_out (`same` False), x goes through a
    convolution of 1 x 1 and a batch-norm: the projection (option B). Source: He et al. 2016,
    section 3.2.
    """
    inside = serial(
        *(_plain(n_out, 3, stride), BatchNorm(), relu),
        *(_plain(n_out, 3), BatchNorm()),
    )
    beside = linear if same and stride == 1 else serial(_plain(n_out, 1, stride), BatchNorm())
    return serial(Parallel((beside, inside), "sum"), relu)


def resnet(depth: int, classes: int = 10, width: int = 16) -> Layer:
    """The residual network of 6 n + 2 layers for small images: 20, 32, 44, 56 or 110.

    A convolution, three groups of n blocks with `width`, twice and four times as many channels, the
    images half as large from one group to the next, their mean, and a dense layer. Raises
    ValueError for another depth. Source: He et al. 2016, section 4.2.
    """
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        raise ValueError(f"resnet: expected a depth of 6 n + 2, such as 20, 32 or 56, got {depth}")
    blocks = [
        resnet_block(width * 2**group, 2 if group and not i else 1)
        for group in range(3)
        for i in range(n)
    ]
    start = _plain(width, 3), BatchNorm(), relu
    return serial(*start, *blocks, GlobalAvgPool(), Dense(classes))


def _plain(n_out: int, window: int, stride: int = 1) -> Conv:
    """A convolution in front of a batch-norm, which has the bias."""
    return Conv(n_out, window, stride, "SAME", bias=False, w_init=he)
