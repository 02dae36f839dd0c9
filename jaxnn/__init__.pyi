"""The public names of the library, for `jaxnn.lazy` and for type checkers. Rooms first."""

from jaxnn import (
    check as check,
    core as core,
    curvature as curvature,
    feedback as feedback,
    initializers as initializers,
    layers as layers,
    losses as losses,
    optim as optim,
    perceptron as perceptron,
    readings as readings,
    schedules as schedules,
    sklearn as sklearn,
    sweep as sweep,
    training as training,
)
from jaxnn.core import Affine as Affine, Layer as Layer
from jaxnn.layers import (
    BatchNorm as BatchNorm,
    Dense as Dense,
    DropConnect as DropConnect,
    Dropout as Dropout,
    Embedding as Embedding,
    Flatten as Flatten,
    MixedPrecision as MixedPrecision,
    OneHot as OneHot,
    Parallel as Parallel,
    Pixels as Pixels,
    Recompute as Recompute,
    Repeat as Repeat,
    Skip as Skip,
    Tie as Tie,
    elu as elu,
    gelu as gelu,
    leaky_relu as leaky_relu,
    linear as linear,
    relu as relu,
    serial as serial,
    sigmoid as sigmoid,
    silu as silu,
    softmax as softmax,
    softplus as softplus,
    step as step,
    tanh as tanh,
)
from jaxnn.losses import (
    Loss as Loss,
    elastic as elastic,
    half_square as half_square,
    l1 as l1,
    l2 as l2,
    sigmoid_cross_entropy as sigmoid_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
    sum_square as sum_square,
)
from jaxnn.optim import (
    KFAC as KFAC,
    SGD as SGD,
    AdaGrad as AdaGrad,
    Adam as Adam,
    AdamW as AdamW,
    Averaged as Averaged,
    RMSProp as RMSProp,
    averaged as averaged,
    chain as chain,
    clip_by_global_norm as clip_by_global_norm,
    clip_by_value as clip_by_value,
    clip_examples as clip_examples,
    soft_threshold as soft_threshold,
    track_noise_scale as track_noise_scale,
)
from jaxnn.readings import (
    clipped as clipped,
    factors as factors,
    gradient as gradient,
    per_example as per_example,
    squared_norms as squared_norms,
    total as total,
)
from jaxnn.saving import load as load, save as save
from jaxnn.sweep import (
    accumulate as accumulate,
    accuracy as accuracy,
    backprop as backprop,
    evaluate as evaluate,
    predict as predict,
    summary as summary,
)
from jaxnn.training import (
    Options as Options,
    State as State,
    freeze as freeze,
    stack as stack,
    start as start,
    train_epoch as train_epoch,
    train_epoch_together as train_epoch_together,
    train_step as train_step,
    unstack as unstack,
)

__all__: list[str]
