"""The public names of `jaxnn.optim`."""

from jaxnn.optim.asking import reported as reported
from jaxnn.optim.averaging import Average as Average, Averaged as Averaged, averaged as averaged
from jaxnn.optim.chaining import Chain as Chain, chain as chain
from jaxnn.optim.clipping import clip_examples as clip_examples
from jaxnn.optim.kfac import KFAC as KFAC
from jaxnn.optim.loss_scale import LossScaled as LossScaled
from jaxnn.optim.noise_scale import track_noise_scale as track_noise_scale
from jaxnn.optim.optimizers import (
    SGD as SGD,
    AdaGrad as AdaGrad,
    Adam as Adam,
    AdamW as AdamW,
    Optimizer as Optimizer,
    OptimizerState as OptimizerState,
    RMSProp as RMSProp,
)
from jaxnn.optim.transforms import (
    Transformation as Transformation,
    apply_updates as apply_updates,
    clip_by_global_norm as clip_by_global_norm,
    clip_by_value as clip_by_value,
    soft_threshold as soft_threshold,
)

__all__: list[str]
