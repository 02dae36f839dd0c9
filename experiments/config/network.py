"""The network half of a config: layers, how their weights start, and the loss.

A string under a field is its help text on the command line.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from experiments.config.types import BelowOne, Count, Positive, Section

ActivationName = Literal[
    "linear", "step", "sigmoid", "tanh", "relu", "leaky_relu", "softplus", "elu", "gelu", "silu",
    "softmax",
]  # fmt: skip
BackwardName = Literal[
    "backprop", "feedback_alignment", "sign_symmetric", "kolen_pollack", "weight_mirror",
    "direct_feedback_alignment", "direct_random_target_projection",
]  # fmt: skip
WITH_PARAMETER = ("leaky_relu", "elu", "linear", "step")


@dataclass(frozen=True, kw_only=True)
class Glorot(Section):
    """Variance 2 / (fan in + fan out)."""

    distribution: Literal["normal", "uniform"] = "uniform"
    """Shape of the distribution; its variance is the same either way."""
    kind: Literal["glorot"] = "glorot"


@dataclass(frozen=True, kw_only=True)
class He(Section):
    """Variance 2 / fan in."""

    distribution: Literal["normal", "uniform"] = "normal"
    """Shape of the distribution; its variance is the same either way."""
    kind: Literal["he"] = "he"


@dataclass(frozen=True, kw_only=True)
class Lecun(Section):
    """Variance 1 / fan in."""

    distribution: Literal["normal", "uniform"] = "normal"
    """Shape of the distribution; its variance is the same either way."""
    kind: Literal["lecun"] = "lecun"


@dataclass(frozen=True, kw_only=True)
class Normal(Section):
    """Normal around 0, whatever the size of the layer."""

    std: Positive
    """Standard deviation."""
    kind: Literal["normal"] = "normal"


@dataclass(frozen=True, kw_only=True)
class Uniform(Section):
    """Uniform between two numbers, whatever the size of the layer."""

    low: float
    """Smallest weight."""
    high: float
    """Largest weight."""
    kind: Literal["uniform"] = "uniform"

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise ValueError(f"low must be below high (got low {self.low}, high {self.high})")


@dataclass(frozen=True, kw_only=True)
class ConstantInit(Section):
    """Every weight the same."""

    value: float
    """The weight."""
    kind: Literal["constant"] = "constant"


InitSpec = Annotated[
    Glorot | He | Lecun | Normal | Uniform | ConstantInit, Field(discriminator="kind")
]


BiasInitSpec = Annotated[Normal | Uniform | ConstantInit, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True)
class Dense(Section):
    """Weights, biases and an activation."""

    units: Count
    """Number of outputs."""
    activation: ActivationName = "linear"
    """Function applied to the outputs."""
    init: InitSpec = Glorot()
    """How the weights start."""
    bias_init: BiasInitSpec = ConstantInit(value=0.0)
    """How the biases start."""
    bias: bool = True
    """Whether a bias is added."""
    kind: Literal["dense"] = "dense"


@dataclass(frozen=True, kw_only=True)
class Activation(Section):
    """An activation function as a layer of its own, where it can take a parameter."""

    name: ActivationName
    """Which function."""
    parameter: float | None = None
    """Slope of leaky_relu, alpha of elu, factor of linear and step; unset: the usual one."""
    kind: Literal["activation"] = "activation"

    def __post_init__(self) -> None:
        if self.parameter is not None and self.name not in WITH_PARAMETER:
            takers = ", ".join(WITH_PARAMETER)
            raise ValueError(f"{self.name} takes no parameter, only these do: {takers}")


@dataclass(frozen=True, kw_only=True)
class Flatten(Section):
    """Turns each example, an image say, into one row of numbers."""

    kind: Literal["flatten"] = "flatten"


@dataclass(frozen=True, kw_only=True)
class Dropout(Section):
    """Sets entries to zero at random while training, and does nothing at the test."""

    drop_rate: BelowOne
    """Fraction dropped, not the fraction kept."""
    per: Literal["example", "batch"] = "example"
    """Whether each example has a mask of its own, or the mini-batch has one for all."""
    draw: Literal["bernoulli", "exact"] = "bernoulli"
    """Each entry on its own, or exactly that fraction of every row."""
    rescale: Literal["training", "inference"] = "training"
    """When the loss of size is made up for."""
    on_output: bool = False
    """Has to be true behind the last dense layer, where outputs themselves are dropped."""
    kind: Literal["dropout"] = "dropout"


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Section):
    """Mean 0 and variance 1 over the mini-batch; before an activation or behind it."""

    learned: bool = True
    """Whether a scale and a shift are learned behind it."""
    eps: Positive = 1e-3
    """Added to the variance, inside the root."""
    on_output: bool = False
    """Has to be true behind the last dense layer, where outputs themselves are normalised."""
    kind: Literal["batch_norm"] = "batch_norm"


LayerSpec = Annotated[
    Dense | Activation | Flatten | Dropout | BatchNorm, Field(discriminator="kind")
]


@dataclass(frozen=True, kw_only=True)
class SoftmaxCrossEntropy(Section):
    """For one class out of several; the last layer gives one number per class."""

    smoothing: BelowOne = 0.0
    """Share of the target spread evenly over all classes."""
    kind: Literal["softmax_cross_entropy"] = "softmax_cross_entropy"


@dataclass(frozen=True, kw_only=True)
class SigmoidCrossEntropy(Section):
    """For yes-or-no questions; the last layer gives one number per question."""

    kind: Literal["sigmoid_cross_entropy"] = "sigmoid_cross_entropy"


@dataclass(frozen=True, kw_only=True)
class HalfSquare(Section):
    """Half the squared error."""

    kind: Literal["half_square"] = "half_square"


@dataclass(frozen=True, kw_only=True)
class SumSquare(Section):
    """The squared error, without the half."""

    kind: Literal["sum_square"] = "sum_square"


LossSpec = Annotated[
    SoftmaxCrossEntropy | SigmoidCrossEntropy | HalfSquare | SumSquare,
    Field(discriminator="kind"),
]


@dataclass(frozen=True, kw_only=True)
class Model(Section):
    """The network."""

    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    """First to last."""
    loss: LossSpec = SoftmaxCrossEntropy()
    """What training makes small."""
    backward: BackwardName = "backprop"
    """How the error of the outputs comes down to the dense layers."""

    def __post_init__(self) -> None:
        for number, layer in reversed(list(enumerate(self.layers))):
            if isinstance(layer, Dense):
                break
            if isinstance(layer, Dropout | BatchNorm) and not layer.on_output:
                raise ValueError(
                    f"layers.{number}: {layer.kind} behind the last dense layer works on the "
                    "outputs; move it up, or say on_output = true"
                )
