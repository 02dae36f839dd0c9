"""The training half of a config: optimizer, learning rate over time, penalties and clipping.

Optimizers and schedules are those the library makes public; what stands here is what a config adds
to them. A string under a field is its help text on the command line.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from experiments.config.library import public
from experiments.config.network import derived
from experiments.config.tables import Nouns, Own, one_of, snake, table
from experiments.config.types import Count, Fraction, NotNegative, Positive, Section, Share, section


def _nesterov(self: Any) -> None:
    if self.nesterov and self.momentum == 0:
        raise ValueError("nesterov needs momentum above 0 (got momentum 0)")


_plain = Nouns(__name__, {})
OPTIMIZERS = {
    name.lower(): table(
        found,
        _plain,
        name.lower(),
        name,
        own={"momentum": Own(Fraction, 0.0)} if name == "SGD" else None,  # 0 where nothing is kept
        check=_nesterov if name == "SGD" else None,
    )
    for name, found in derived("Optimizer").items()
}

_step = Own(one_of(OPTIMIZERS), OPTIMIZERS["sgd"](), "What steps along the natural gradient.")
OPTIMIZERS["kfac"] = table(public()["KFAC"], _plain, "kfac", "KFAC", own={"optimizer": _step})

_warm_up = "Iterations over which the learning rate first grows in a straight line."
_OWN = {
    "warm_up": Own(Annotated[int, Field(ge=0)], 0, _warm_up),
    "final": Own(Share, 0.0, "Share of the learning rate that is left at the end."),
}


def _schedule(name: str) -> Any:
    """The rate is `train.lr`, and the steps are those of the run."""
    found = public("jaxnn.schedules")[name]
    kind = snake(re.sub("(Decay|Rate)$", "", name))
    has = {field.name for field in found.fields} | {"warm_up"}
    own = {key: value for key, value in _OWN.items() if key in has}
    return table(found, _plain, kind, name.removesuffix("Decay"), ("rate", "steps"), own)


@section
class Plateau(Section):
    """Falls whenever `train.monitor` has not got better for a while."""

    warm_up: Annotated[int, Field(ge=0)] = 0
    """Iterations over which the learning rate first grows in a straight line."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the learning rate is multiplied by."""
    patience: Count = 5
    """Epochs without anything better, before it is."""
    minimum: Share = 0.0
    """Smallest share of the learning rate it comes down to."""
    kind: Literal["plateau"] = "plateau"


_found = map(_schedule, derived("Schedule", "jaxnn.schedules"))
SCHEDULES = {made.kind: made for made in (*_found, Plateau)}

_sgd, _constant = OPTIMIZERS["sgd"](), SCHEDULES["constant"]()

if TYPE_CHECKING:
    OptimizerSpec = Any
    ScheduleSpec = Any
else:
    OptimizerSpec, ScheduleSpec = one_of(OPTIMIZERS), one_of(SCHEDULES)

MetricName = Literal["top_3", "top_5", "f1", "auc", "perplexity", "bits_per_character", "mae"]
MonitorName = Literal["loss", "accuracy", "r2", MetricName]
WatchName = Literal["gradients", "updates", "units"]


@section
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
    optimizer: OptimizerSpec = _sgd
    """How a gradient becomes a step."""
    schedule: ScheduleSpec = _constant
    """How the learning rate changes from iteration to iteration."""
    l1: NotNegative = 0.0
    """Penalty on the absolute values of the weights; biases are free."""
    l2: NotNegative = 0.0
    """Penalty on the squares of the weights; biases are free."""
    clip_norm: Positive | None = None
    """Largest norm of the whole gradient."""
    clip_value: Positive | None = None
    """Largest absolute value in the gradient."""
    clip_examples: Positive | None = None
    """Largest norm of the gradient of each example."""
    noise: NotNegative = 0.0
    """Deviation of the noise on the gradient, as a multiple of clip_examples."""
    noise_scale: bool = False
    """Whether to follow the gradient noise scale: the batch size beyond which more hardly pays."""
    micro_batches: Count = 1
    """Equal parts a mini-batch is taken in, one after the other: the same step in less memory."""
    class_weights: tuple[NotNegative, ...] = ()
    """How much an example of each class counts; unset, all count alike."""
    balanced: bool = False
    """Whether every class counts as much in all as any other, however many examples it has."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What products are computed in; parameters and their updates stay in float32. In float16 the
    loss is scaled, and the steps skipped are recorded."""
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
        if self.noise and self.clip_examples is None:
            raise ValueError("noise: needs clip_examples, of which it is a multiple; set both")
        kfac = self.optimizer.kind == "kfac"
        asking = {
            "clip_examples": self.clip_examples,
            "noise_scale": self.noise_scale,
            "kfac": kfac,
        }
        if len(several := [name for name, asks in asking.items() if asks]) > 1:
            raise ValueError(f"{' and '.join(several)}: expected one of these at a time")
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
