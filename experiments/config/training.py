"""The training half of a config: optimizer, learning rate over time, penalties and clipping.

A string under a field is its help text on the command line.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from experiments.config.types import BelowOne, Count, Factor, NotNegative, Positive, Section


@dataclass(frozen=True, kw_only=True)
class SGD(Section):
    """Steps against the gradient, with or without momentum."""

    momentum: BelowOne = 0.0
    """Share of the last step that is kept."""
    nesterov: bool = False
    """Whether the momentum looks ahead; needs momentum above 0."""
    kind: Literal["sgd"] = "sgd"

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs momentum above 0 (got momentum 0)")


@dataclass(frozen=True, kw_only=True)
class RMSProp(Section):
    """Divides each step by a running root mean square of the gradient."""

    decay: BelowOne = 0.9
    """Share of the running mean that is kept."""
    eps: Positive = 1e-8
    """Keeps the division finite."""
    kind: Literal["rmsprop"] = "rmsprop"


@dataclass(frozen=True, kw_only=True)
class AdaGrad(Section):
    """Divides each step by the root of the sum of all squared gradients so far."""

    eps: Positive = 1e-10
    """Keeps the division finite."""
    kind: Literal["adagrad"] = "adagrad"


@dataclass(frozen=True, kw_only=True)
class AdamMoments(Section):
    """What Adam and AdamW have in common."""

    b1: BelowOne = 0.9
    """Share of the running mean of the gradient that is kept."""
    b2: BelowOne = 0.999
    """Share of the running mean of the squared gradient that is kept."""
    eps: Positive = 1e-8
    """Keeps the division finite."""


@dataclass(frozen=True, kw_only=True)
class Adam(AdamMoments):
    """Momentum and a running root mean square, both corrected for their start at 0."""

    kind: Literal["adam"] = "adam"


@dataclass(frozen=True, kw_only=True)
class AdamW(AdamMoments):
    """Adam, with weights that shrink a little at every step."""

    weight_decay: NotNegative = 0.01
    """Shrinks the weights directly, not through the gradient (decoupled)."""
    kind: Literal["adamw"] = "adamw"


OptimizerSpec = Annotated[SGD | RMSProp | AdaGrad | Adam | AdamW, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True)
class Schedule(Section):
    """What every schedule has; one iteration is one mini-batch."""

    warm_up: Annotated[int, Field(ge=0)] = 0
    """Iterations over which the learning rate first grows in a straight line."""


@dataclass(frozen=True, kw_only=True)
class ConstantRate(Schedule):
    """The learning rate stays."""

    kind: Literal["constant"] = "constant"


@dataclass(frozen=True, kw_only=True)
class Exponential(Schedule):
    """Falls smoothly, by the same factor over the same number of iterations."""

    factor: Factor
    """What the learning rate is multiplied by."""
    every: Count
    """Over so many iterations."""
    kind: Literal["exponential"] = "exponential"


@dataclass(frozen=True, kw_only=True)
class Inverse(Schedule):
    """Divided by 1 + decay x iteration."""

    decay: NotNegative
    """How fast it falls."""
    kind: Literal["inverse"] = "inverse"


@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """Falls in steps."""

    factor: Factor
    """What the learning rate is multiplied by."""
    every: Count
    """Each time so many iterations are over."""
    kind: Literal["step"] = "step"


@dataclass(frozen=True, kw_only=True)
class Cosine(Schedule):
    """Falls along half a cosine, down to the last iteration."""

    final: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the learning rate that is left at the end."""
    kind: Literal["cosine"] = "cosine"


@dataclass(frozen=True, kw_only=True)
class Plateau(Schedule):
    """Falls whenever `train.monitor` has not got better for a while."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the learning rate is multiplied by."""
    patience: Count = 5
    """Epochs without anything better, before it is."""
    minimum: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Smallest share of the learning rate it comes down to."""
    kind: Literal["plateau"] = "plateau"


ScheduleSpec = Annotated[
    ConstantRate | Exponential | Inverse | Step | Cosine | Plateau, Field(discriminator="kind")
]

MetricName = Literal["top_3", "top_5", "f1", "auc", "mae"]
MonitorName = Literal["loss", "accuracy", "r2", "top_3", "top_5", "f1", "auc", "mae"]
WatchName = Literal["gradients", "updates", "units"]


@dataclass(frozen=True, kw_only=True)
class Train(Section):
    """How the network is trained."""

    epochs: Count
    """Passes over the training part."""
    batch_size: Count
    """Examples per iteration."""
    sample: Count | None = None
    """Examples drawn at random for each epoch; unset, an epoch is one pass over all of them."""
    lr: Positive
    """Learning rate, before the schedule."""
    optimizer: OptimizerSpec = SGD()
    """How a gradient becomes a step."""
    schedule: ScheduleSpec = ConstantRate()
    """How the learning rate changes from iteration to iteration."""
    l1: NotNegative = 0.0
    """Penalty on the absolute values of the weights; biases are free."""
    l2: NotNegative = 0.0
    """Penalty on the squares of the weights; biases are free."""
    clip_norm: Positive | None = None
    """Largest norm of the whole gradient."""
    clip_value: Positive | None = None
    """Largest absolute value in the gradient."""
    micro_batches: Count = 1
    """Equal parts a mini-batch is taken in, one after the other: the same step in less memory."""
    class_weights: tuple[NotNegative, ...] = ()
    """How much an example of each class counts; unset, all count alike."""
    balanced: bool = False
    """Whether every class counts as much in all as any other, however many examples it has."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What products are computed in; parameters and their updates stay in float32."""
    average: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Decay of a running mean of the parameters, which is what is tested and kept."""
    warm_start: str | None = None
    """Folder of a run whose parameters are the start, instead of random ones."""
    monitor: MonitorName = "loss"
    """What says which epoch is best: of the validation part; without one, of the training part."""
    patience: Count | None = None
    """Stop after so many epochs with nothing better, and keep the parameters of the best."""
    metrics: tuple[MetricName, ...] = ()
    """More scores for every epoch, beside the loss and accuracy or R2."""
    watch: tuple[WatchName, ...] = ()
    """What to record of each layer, every epoch: norms of gradients, updates beside weights, dead
    and saturated units."""
    histograms: bool = True
    """Whether to record histograms of activations and errors for the report, every epoch."""
    alignment: bool = False
    """Whether to record how far each layer's gradient is from that of backprop, every epoch."""
    tensorboard: bool = False
    """Whether to write the metrics and histograms as TensorBoard events as well."""

    def __post_init__(self) -> None:
        if self.balanced and self.class_weights:
            raise ValueError("balanced and class_weights say different things; leave one out")
        if self.batch_size % self.micro_batches:
            raise ValueError(
                f"micro_batches: expected a number that divides batch_size {self.batch_size} "
                f"(got {self.micro_batches})"
            )
        if self.monitor not in ("loss", "accuracy", "r2", *self.metrics):
            raise ValueError(
                f"monitor: expected loss, accuracy, r2 or one of train.metrics (got "
                f"'{self.monitor}'); add it there as well"
            )
