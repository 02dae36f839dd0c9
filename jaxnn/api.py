"""The public names of the library, which `import jaxnn` offers as its own."""

from jaxnn.core.factors import Factor, Formed, Masked, Outer, Rows, Scaled, Stacked, Sum, Tied
from jaxnn.core.layer import Layer, Shape
from jaxnn.core.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights
from jaxnn.curvature.diagonals import Sampled, ggn_diagonal, hessian_diagonal, sampled_ggn_diagonal
from jaxnn.curvature.input_gradients import (
    input_gradient,
    input_jacobian,
    integrated_gradients,
    saliency,
)
from jaxnn.curvature.kronecker_factors import KroneckerFactors, kflr, kronecker
from jaxnn.curvature.products import gnvp, hvp
from jaxnn.feedback.direct import DirectFeedbackAlignment, DirectRandomTargetProjection
from jaxnn.feedback.matrices import FeedbackAlignment, KolenPollack, SignSymmetric, WeightMirror
from jaxnn.feedback.networks import Alignment, alignment, with_rule
from jaxnn.feedback.rules import (
    BackwardRule,
    GradientReversal,
    GuidedBackprop,
    StraightThrough,
    WithBackward,
    WithFeedback,
)
from jaxnn.layers.activations import leaky_relu, linear, relu, sigmoid, softmax, step, tanh
from jaxnn.layers.batch_norm import BatchNorm, Rescale
from jaxnn.layers.combinators import Parallel, Serial, Skip, serial
from jaxnn.layers.dense import Dense
from jaxnn.layers.dropout import DropConnect, Dropout
from jaxnn.layers.embedding import Embedding, OneHot
from jaxnn.layers.initializers import (
    constant,
    glorot,
    he,
    lecun,
    normal,
    uniform,
    variance_scaling,
    zeros,
)
from jaxnn.layers.precision import MixedPrecision
from jaxnn.layers.rectifiers import elu, gelu, silu, softplus
from jaxnn.layers.repeat import Repeat
from jaxnn.layers.reshape import Flatten, Pixels
from jaxnn.losses.cross_entropy import sigmoid_cross_entropy, softmax_cross_entropy
from jaxnn.losses.loss import Loss, half_square, sum_square
from jaxnn.losses.penalties import elastic, l1, l2
from jaxnn.optim.averaging import Averaged, averaged
from jaxnn.optim.kfac import KFAC, kfac_start, kfac_step
from jaxnn.optim.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.optim.transforms import (
    apply_updates,
    chain,
    clip_by_global_norm,
    clip_by_value,
    soft_threshold,
)
from jaxnn.perceptron.rules import (
    Fit,
    novikoff_bound,
    train_averaged_perceptron,
    train_multiclass_perceptron,
    train_perceptron,
    train_pocket_perceptron,
)
from jaxnn.perceptron.threshold import homogeneous, threshold_unit
from jaxnn.readings import (
    Noise,
    Reading,
    SquaredNorms,
    clipped,
    directional,
    factors,
    gradient,
    gram,
    influence,
    noise_scale,
    per_example,
    second_moment,
    squared_norms,
    total,
    variance,
    weighted,
)
from jaxnn.schedules import (
    ConstantRate,
    CosineDecay,
    ExponentialDecay,
    InverseDecay,
    StepDecay,
    WarmUp,
)
from jaxnn.sweep.accumulation import accumulate
from jaxnn.sweep.backpropagation import backprop
from jaxnn.sweep.inspection import summary
from jaxnn.sweep.prediction import accuracy, evaluate, predict
from jaxnn.training.inference import Statistics, average_statistics, freeze
from jaxnn.training.steps import State, start, train_epoch, train_step
from jaxnn.training.together import stack, train_epoch_together, unstack
