"""The public names of `jaxnn.layers`."""

from jaxnn.layers.activations import (
    leaky_relu as leaky_relu,
    linear as linear,
    relu as relu,
    sigmoid as sigmoid,
    softmax as softmax,
    step as step,
    tanh as tanh,
)
from jaxnn.layers.batch_norm import BatchNorm as BatchNorm, Rescale as Rescale
from jaxnn.layers.chunked import Chunked as Chunked
from jaxnn.layers.combinators import Serial as Serial, Skip as Skip, serial as serial
from jaxnn.layers.dense import Dense as Dense
from jaxnn.layers.dropout import DropConnect as DropConnect, Dropout as Dropout
from jaxnn.layers.embedding import Embedding as Embedding, OneHot as OneHot
from jaxnn.layers.group_norm import GroupNorm as GroupNorm, InstanceNorm as InstanceNorm
from jaxnn.layers.images.adaptive import (
    AdaptiveAvgPool as AdaptiveAvgPool,
    AdaptiveMaxPool as AdaptiveMaxPool,
)
from jaxnn.layers.images.avg_pool import AvgPool as AvgPool
from jaxnn.layers.images.conv import Conv as Conv
from jaxnn.layers.images.conv_transpose import ConvTranspose as ConvTranspose
from jaxnn.layers.images.local import LocallyConnected as LocallyConnected
from jaxnn.layers.images.max_pool import MaxPool as MaxPool
from jaxnn.layers.images.networks import (
    lenet as lenet,
    resnet as resnet,
    resnet_block as resnet_block,
)
from jaxnn.layers.images.padding import Pad as Pad
from jaxnn.layers.images.squeeze import squeeze_excite as squeeze_excite
from jaxnn.layers.images.upsample import Upsample as Upsample
from jaxnn.layers.images.whole import (
    GlobalAvgPool as GlobalAvgPool,
    GlobalMaxPool as GlobalMaxPool,
)
from jaxnn.layers.layer_norm import LayerNorm as LayerNorm, RMSNorm as RMSNorm
from jaxnn.layers.parallel import Parallel as Parallel
from jaxnn.layers.precision import MixedPrecision as MixedPrecision
from jaxnn.layers.product import Product as Product
from jaxnn.layers.recompute import Recompute as Recompute
from jaxnn.layers.rectifiers import elu as elu, gelu as gelu, silu as silu, softplus as softplus
from jaxnn.layers.repeat import Repeat as Repeat
from jaxnn.layers.reshape import (
    Flatten as Flatten,
    Pixels as Pixels,
    Reshape as Reshape,
    Transpose as Transpose,
)
from jaxnn.layers.routing import Join as Join, Main as Main, Take as Take
from jaxnn.layers.tie import Tie as Tie
from jaxnn.layers.weight_norm import WeightNorm as WeightNorm

__all__: list[str]
