"""The public names of the library, which `import jaxnn` offers as its own."""

from jaxnn.accumulation import accumulate
from jaxnn.activations import leaky_relu, linear, relu, sigmoid, softmax, step, tanh
from jaxnn.averaging import Averaged, averaged
from jaxnn.backpropagation import backprop
from jaxnn.backward_rules import (
    BackwardRule,
    GradientReversal,
    GuidedBackprop,
    StraightThrough,
    WithBackward,
    WithFeedback,
)
from jaxnn.batch_norm import BatchNorm, Rescale
from jaxnn.combinators import Parallel, Serial, Skip, serial
from jaxnn.cross_entropy import sigmoid_cross_entropy, softmax_cross_entropy
from jaxnn.curvature import gnvp, hvp
from jaxnn.curvature_diagonals import Sampled, ggn_diagonal, hessian_diagonal, sampled_ggn_diagonal
from jaxnn.dense import Dense
from jaxnn.dropout import DropConnect, Dropout
from jaxnn.embedding import Embedding, OneHot
from jaxnn.factors import Factor, Formed, Masked, Outer, Rows, Scaled, Stacked, Sum, Tied
from jaxnn.feedback import FeedbackAlignment, KolenPollack, SignSymmetric, WeightMirror
from jaxnn.feedback_direct import DirectFeedbackAlignment, DirectRandomTargetProjection
from jaxnn.feedback_networks import Alignment, alignment, with_rule
from jaxnn.inference import Statistics, average_statistics, freeze
from jaxnn.initializers import (
    constant,
    glorot,
    he,
    lecun,
    normal,
    uniform,
    variance_scaling,
    zeros,
)
from jaxnn.input_gradients import input_gradient, input_jacobian, integrated_gradients, saliency
from jaxnn.inspection import summary
from jaxnn.kfac import KFAC, kfac_start, kfac_step
from jaxnn.kronecker import KroneckerFactors, kflr, kronecker
from jaxnn.layer import Layer, Shape
from jaxnn.losses import Loss, half_square, sum_square
from jaxnn.optimizers import SGD, AdaGrad, Adam, AdamW, RMSProp
from jaxnn.parameters import Affine, ScaleShift, Table, count_parameters, everything, weights
from jaxnn.penalties import elastic, l1, l2
from jaxnn.perceptron import (
    Fit,
    novikoff_bound,
    train_averaged_perceptron,
    train_multiclass_perceptron,
    train_perceptron,
    train_pocket_perceptron,
)
from jaxnn.precision import MixedPrecision
from jaxnn.prediction import accuracy, evaluate, predict
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
from jaxnn.rectifiers import elu, gelu, silu, softplus
from jaxnn.repeat import Repeat
from jaxnn.reshape import Flatten, Pixels
from jaxnn.schedules import (
    ConstantRate,
    CosineDecay,
    ExponentialDecay,
    InverseDecay,
    StepDecay,
    WarmUp,
)
from jaxnn.threshold import homogeneous, threshold_unit
from jaxnn.together import stack, train_epoch_together, unstack
from jaxnn.training import State, start, train_epoch, train_step
from jaxnn.transforms import (
    apply_updates,
    chain,
    clip_by_global_norm,
    clip_by_value,
    soft_threshold,
)
