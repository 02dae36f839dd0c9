"""THE table: every layer with inputs that exercise it. Adding a layer is adding a row.

Sizes are distinct primes, so that no two axes can be mistaken for each other. `plant` puts exact
values among the normal inputs: kinks, and ties between neighbours.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from jaxnn import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Chunked,
    Conv,
    ConvTranspose,
    Dense,
    DropConnect,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Join,
    Layer,
    LayerNorm,
    LocallyConnected,
    Main,
    MaxPool,
    MixedPrecision,
    OneHot,
    Pad,
    Parallel,
    Pixels,
    Product,
    Recompute,
    Repeat,
    Reshape,
    RMSNorm,
    Skip,
    Take,
    Tie,
    Transpose,
    Upsample,
    WeightNorm,
    serial,
)
from jaxnn.core.walk import every_layer
from jaxnn.layers import Rescale
from tests.private_layers import LSTM, CausalAttention, CrossAttention, TiedTable


class Case(NamedTuple):
    """A layer, the shape of its input, planted values, and for ids the number of different ones.

    `others` makes a tuple of it: of each entry behind the main one its shape, or its numbers.
    """

    layer: Layer
    shape: tuple[int, ...]
    plant: tuple[float, ...] = ()
    ids: int = 0
    others: tuple[tuple[int, ...] | list[int], ...] = ()

    def x(self, dtype: Any = None) -> Any:
        """The inputs, the main one alone where there are no others."""
        drawn = np.random.default_rng(31)
        others = (
            jnp.asarray(o, jnp.int32)
            if isinstance(o, list)
            else jnp.asarray(drawn.normal(size=o), dtype or float)
            for o in self.others
        )
        return (self.main(dtype), *others) if self.others else self.main(dtype)

    def main(self, dtype: Any = None) -> Any:
        """Normal, with `plant` in its first entries, or ids with one id repeated."""
        rng = np.random.default_rng(len(self.shape))
        if self.ids:
            x = rng.integers(0, self.ids, self.shape)
            x[0, :2] = 1
            return jnp.asarray(x, jnp.int32)
        x = rng.normal(size=self.shape)
        x.reshape(-1)[: len(self.plant)] = self.plant
        return jnp.asarray(x, dtype or float)


KINK = (0.0, -0.0, 20.0, -20.0)
TIE = (3.0, 3.0, -3.0, 3.0)
# of x with five features, different widths: where a third branch begins shows
THREE = Parallel((nn.relu, Dense(3), Dense(11)), "concat")
BOTH = serial(Parallel((Take(0), Take(1)), "concat"), Dense(3))  # two entries as one

PUBLIC = [
    Case(Dense(7), (3, 5)),
    Case(Dense(7), (2, 3, 5)),
    Case(Dense(7, bias=False, w_init=nn.initializers.he), (2, 3, 11, 5)),
    Case(nn.linear, (3, 5)),
    Case(nn.linear(-2.5), (2, 3, 5)),
    Case(nn.step, (3, 5), KINK),
    Case(nn.step(0.5), (3, 5), (0.5, *KINK)),
    Case(nn.sigmoid, (3, 5), KINK),
    Case(nn.tanh, (3, 5), KINK),
    Case(nn.relu, (2, 3, 5), KINK),
    Case(nn.leaky_relu, (3, 5), KINK),
    Case(nn.leaky_relu(0.1), (2, 3, 5), KINK),
    Case(nn.softplus, (3, 5), KINK),
    Case(nn.elu, (3, 5), (*KINK, 800.0)),
    Case(nn.elu(0.7), (3, 5), KINK),
    Case(nn.gelu, (3, 5), KINK),
    Case(nn.gelu("tanh"), (3, 5), (*KINK, 50.0, -50.0)),
    Case(nn.silu, (3, 5), KINK),
    Case(nn.softmax, (2, 3, 5), TIE),
    Case(Flatten(), (2, 3, 5, 7)),
    Case(Pixels(16.0), (3, 5), ids=17),
    Case(Embedding(11, 5), (2, 3), ids=11),
    Case(OneHot(11), (2, 3), ids=11),
    Case(Dropout(0.4), (2, 3, 5)),
    Case(Dropout(0.4, per="batch", draw="exact"), (2, 3, 5)),
    Case(Dropout(0.4, draw="exact", rescale="inference"), (3, 5)),
    Case(DropConnect(7, drop_rate=0.4), (2, 3, 5)),
    Case(DropConnect(7, bias=False, drop_rate=0.4, draw="exact", rescale="inference"), (3, 5)),
    Case(BatchNorm(), (7, 5)),
    Case(BatchNorm(), (2, 7, 3, 5)),
    Case(BatchNorm(learned=False), (7, 5)),
    Case(BatchNorm(eps=0.0, ddof=1), (7, 5)),
    Case(BatchNorm(statistics_ddof=1), (3, 2, 5)),
    Case(Rescale(), (2, 3, 5)),
    Case(LayerNorm(), (2, 3, 5)),
    Case(LayerNorm(scale=False, part=4), (11, 3)),  # parts of one row, then with a row left over
    Case(LayerNorm(part=12), (2, 9, 3)),
    Case(RMSNorm(), (3, 5)),
    Case(RMSNorm(scale=False, part=16), (2, 11, 5)),
    Case(GroupNorm(2), (3, 6)),
    Case(GroupNorm(3, shift=False, part=24), (5, 2, 6)),
    Case(InstanceNorm(), (2, 3, 5)),
    Case(InstanceNorm(scale=False, shift=False), (2, 3, 2, 5)),
    Case(WeightNorm(Dense(7)), (3, 5)),
    Case(WeightNorm(DropConnect(7, bias=False, drop_rate=0.4)), (2, 3, 5)),
    Case(Repeat(Skip(serial(RMSNorm(part=10), WeightNorm(Dense(5)), nn.tanh)), 2), (9, 5)),
    Case(serial(Dense(7), nn.sigmoid, Dense(2)), (3, 5)),
    Case(serial(OneHot(11), Dense(5, bias=False)), (2, 3), ids=11),
    Case(serial(Embedding(11, 5), Skip(DropConnect(5, drop_rate=0.4)), Flatten()), (2, 3), ids=11),
    # no bias before batch-norm: its gradient is exactly zero, which rounding turns into noise
    Case(serial(Dense(7, bias=False), BatchNorm(), nn.relu, Dropout(0.4), Dense(2)), (5, 3)),
    Case(
        serial(Flatten(), Dense(7), serial(nn.relu, Dense(3), nn.tanh, Dense(11)), nn.softmax),
        (2, 3, 5),
    ),
    Case(Take(1), (2, 3, 5), others=((2, 7), (2, 11))),
    Case(
        serial(Main(Dense(7)), Join(BOTH), Skip(Main(nn.tanh)), Take(0)), (3, 5), others=((3, 2),)
    ),
    Case(serial(Pixels(), Dense(7)), (3, 5), ids=256),
    Case(Skip(serial(Dense(7), nn.tanh, Dense(5))), (2, 3, 5)),
    Case(Parallel((Dense(7), serial(Dense(3), nn.tanh), nn.sigmoid), "concat"), (2, 3, 5)),
    Case(Parallel((Dense(19), THREE, serial(nn.tanh, Dense(19))), "sum"), (3, 5)),
    Case(Repeat(serial(Dense(5), nn.tanh), 3), (2, 7, 5)),
    Case(Repeat(serial(DropConnect(5, drop_rate=0.4), nn.relu, Dropout(0.4)), 2), (3, 5)),
    Case(Repeat(Skip(serial(Dense(5, bias=False), BatchNorm(), nn.relu)), 3), (7, 5)),
    Case(Recompute(serial(Dense(7), nn.tanh, Dropout(0.4), Dense(2))), (2, 3, 5)),
    Case(serial(Recompute(serial(OneHot(11), Dense(5, bias=False))), BatchNorm()), (2, 3), ids=11),
    Case(Repeat(Recompute(Skip(serial(Dense(5, bias=False), BatchNorm(), nn.relu))), 3), (7, 5)),
    Case(
        Tie(
            serial(Embedding(11, 5), Skip(serial(Dense(7), nn.tanh, Dense(5))), Dense(11)),
            ("[0].rows", "[2].w"),
        ),
        (2, 3),
        ids=11,
    ),
    Case(  # a whole layer three times, and an autoencoder's weight
        Tie(
            serial(Dense(5), nn.tanh, Dense(5), Dense(5), Dense(7), nn.tanh, Dense(5)),
            (("[0]", "[2]", "[3]"), ("[4].w", "[6].w.T")),
        ),
        (3, 5),
    ),
    Case(Repeat(Tie(serial(Dense(7), nn.tanh, Dense(5)), ("[0].w", "[2].w.T")), 3), (2, 3, 5)),
    Case(Tie(serial(Repeat(Dense(5), 2), nn.tanh, Repeat(Dense(5), 2)), ("[0]", "[2]")), (3, 5)),
    Case(serial(Dense(7), nn.tanh, Chunked(serial(nn.silu, Dense(3)), 4)), (2, 3, 5)),
    Case(serial(Repeat(Skip(Join(serial(BOTH, nn.tanh))), 2), Take(0)), (7, 3), others=((7, 2),)),
    # wider than the parameters: what a narrow dtype rounds away no law of float64 would forgive
    Case(MixedPrecision(serial(Dense(7), nn.tanh, Dense(2)), "float64"), (2, 3, 5)),
    Case(serial(MixedPrecision(Join(BOTH), "float64"), Take(0)), (5, 3), others=((5, 2),)),
    Case(MixedPrecision(serial(OneHot(11), Dense(5)), "float64"), (2, 3), ids=11),
]

IMAGES = [
    # by one product: one channel, and d with many fewer places than x; else by convolutions
    Case(Conv(7, window=3, padding="SAME"), (2, 5, 3, 1)),
    Case(Conv(3, window=3), (2, 5, 7, 2)),
    Case(Conv(5, window=3, stride=2, padding=1), (2, 7, 11, 3)),
    Case(Conv(5, window=(2, 3), stride=3, padding=((2, 0), (0, 1)), bias=False), (2, 7, 6, 3)),
    Case(Conv(6, window=2, dilation=(2, 3), groups=3), (2, 5, 7, 3)),
    Case(Conv(3, window=3, stride=2, padding="SAME", groups=3), (2, 11, 3)),
    Case(Conv(3, window=3, padding=1, padding_mode="circular"), (2, 5, 7, 2)),
    Case(Conv(3, window=2, stride=2, padding="SAME", padding_mode="reflect"), (2, 3, 5, 3, 2)),
    Case(Conv(3, window=2, bias_per_place=True, planes=((0,), (1, 2), (0, 2))), (2, 5, 3, 3)),
    Case(ConvTranspose(5, window=3, stride=2, padding=1, output_padding=1), (2, 3, 5, 2)),
    Case(ConvTranspose(6, window=2, stride=3, padding="SAME", groups=3, bias=False), (2, 5, 3)),
    Case(LocallyConnected(5, window=2, stride=2, padding=1), (2, 3, 5, 2)),
    Case(serial(Conv(3, window=3), nn.relu, Flatten(), Dense(2)), (2, 5, 7, 3)),
]
PUBLIC += IMAGES
EQUAL = (3.0, -2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0)  # ties in a window, which neighbours share
PUBLIC += [  # pools, and what else has inner axes
    Case(MaxPool(2), (2, 5, 7, 3), EQUAL),  # apart, by comparisons; a row and a column left over
    Case(MaxPool((2, 5)), (2, 5, 11, 3)),  # apart, more entries: by reductions
    Case(MaxPool(3, 2, "SAME"), (2, 5, 7, 2), EQUAL),  # overlapping, in padding
    Case(MaxPool(2, (2, 1), ((1, 0), (0, 1)), dilation=(2, 3)), (2, 5, 7, 2), EQUAL),
    Case(MaxPool(3, padding=1), (2, 11, 3), EQUAL),
    Case(MaxPool(2, 1), (1, 2, 3, 3, 2), EQUAL),
    Case(AvgPool(2), (2, 5, 7, 3)),
    Case(AvgPool(3, 2, "SAME"), (2, 5, 7, 2)),
    Case(AvgPool(3, 1, 1, dilation=2, count_padding=True), (2, 5, 2)),
    Case(GlobalMaxPool(), (2, 3, 5, 7)),
    Case(GlobalAvgPool(keepdims=True), (2, 3, 5, 7)),
    Case(AdaptiveMaxPool((2, 3)), (2, 5, 7, 3)),
    Case(AdaptiveAvgPool(3), (2, 5, 2, 3)),
    Case(Pad(((1, 0), (2, 3)), value=0.5), (2, 3, 5, 2)),
    Case(Pad(2, mode="reflect"), (2, 3, 5, 2)),
    Case(Pad((1, 2), mode="replicate"), (2, 3, 5, 2)),
    Case(Pad((3, (0, 4)), mode="circular"), (2, 3, 5, 2)),
    Case(Upsample((2, 3)), (2, 3, 5, 2)),
    Case(Upsample(3, "linear"), (2, 5, 2)),
    Case(Upsample((2, 1), "linear"), (2, 3, 5, 2)),
    Case(serial(Reshape((-1, 5)), Transpose((2, 1))), (2, 3, 35)),
    Case(Pixels(channels=4), (2, 5, 3), ids=256),
    Case(Product((nn.sigmoid, Dense(1), serial(nn.tanh, Dense(5)))), (2, 3, 5)),
    Case(nn.layers.squeeze_excite(5, 2), (2, 3, 2, 5)),
]

PRIVATE = [
    Case(LSTM(7), (3, 5, 2)),
    Case(serial(Join(LSTM(7)), Take(0)), (3, 5, 2), others=([0, 5, 2],)),
    Case(serial(Main(Embedding(11, 7)), Join(LSTM(5)), Take(0)), (2, 3), ids=11, others=([3, 1],)),
    Case(serial(Join(CrossAttention(5)), Take(0)), (2, 3, 5), others=((2, 7, 11),)),
    Case(CausalAttention(7), (2, 3, 5)),
    Case(TiedTable(11, 5, Skip(serial(Dense(7), nn.tanh, Dense(5)))), (2, 3), ids=11),
    Case(WeightNorm(Conv(5, window=3)), (2, 5, 7, 3)),
    Case(serial(Conv(3, window=3), nn.relu, Flatten(), LayerNorm(), Dense(2)), (2, 5, 7, 3)),
]
LAYER, ATTEND = serial(Main(LayerNorm()), Join(LSTM(5))), Skip(Join(CrossAttention(5)))
PRIVATE += [
    Case(serial(Repeat(Skip(LAYER), 2), Take(0)), (3, 2, 5), others=([0, 2, 1],)),
    Case(serial(Repeat(Recompute(ATTEND), 2), Take(0)), (2, 3, 5), others=((2, 7, 11),)),
]

CASES = PUBLIC + PRIVATE


def name(case: Case) -> str:
    """The id of a case: the layer as it prints, and the shape."""
    shapes = case.shape, *(o for o in case.others if isinstance(o, tuple))
    return "-".join([repr(case.layer), *("x".join(map(str, shape)) for shape in shapes)])


def nested(case: Case) -> bool:
    """Whether a combinator stands in another, which takes long to compile."""
    kinds = (Chunked, Join, MixedPrecision, Recompute, Repeat, Tie)
    return sum(isinstance(layer, kinds) for _, layer in every_layer(case.layer)) > 1


def over(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Runs a test on each case. On nested ones it is slow: what is in them has rows of its own."""
    rows = [pytest.param(c, id=name(c), marks=[pytest.mark.slow] * nested(c)) for c in cases]
    return pytest.mark.parametrize("case", rows)
