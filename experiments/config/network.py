"""The network half of a config: layers, how their weights start, and the loss.

Layers, initialisers, losses and backward rules are those the library makes public; what stands here
is what a config adds to them. A string under a field is its help text on the command line.
"""

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import Field

from experiments.config.library import Declared, arguments, public, typed
from experiments.config.tables import Nouns, Own, one_of, snake, table
from experiments.config.types import RANGES, Section, section

NOT_OFFERED = {
    "zeros": "the initialiser constant with value 0",
    "WarmUp": "the key warm_up of every schedule",
    **dict.fromkeys(("Main", "Join", "Take"), "for several inputs; data of a config are one array"),
    "Pixels": "stands in front of the layers by itself where the data are images",
}
_SUMMED = ("reduction", "class_weights", "ignore_index")  # as `train` says, and data are labelled


def derived(base: str, room: str = "") -> dict[str, Declared]:
    """What the library declares of a kind: everything public that goes back to this class."""
    every = public(room).items()
    return {n: f for n, f in every if base in f.lineage[1:] and n not in NOT_OFFERED}


_ACTIVATIONS = derived("Activation")
_TAKEN = {n: typed(found.fields[0], RANGES) for n, found in _ACTIVATIONS.items() if found.fields}
WITH_PARAMETER = [name for name, wanted in _TAKEN.items() if get_origin(wanted) is Annotated]
FORMS = {n: get_args(wanted) for n, wanted in _TAKEN.items() if get_origin(wanted) is Literal}
_STARTS = public("jaxnn.initializers")
BackwardName = Literal[
    "backprop", "feedback_alignment", "sign_symmetric", "kolen_pollack", "weight_mirror",
    "direct_feedback_alignment", "direct_random_target_projection",
]  # fmt: skip

if TYPE_CHECKING:
    ActivationName = str
    FormName = str
else:
    ActivationName = Literal[tuple(_ACTIVATIONS)]
    FormName = Literal[tuple(word for words in FORMS.values() for word in words)]


def _ordered(self: Any) -> None:
    if self.low >= self.high:
        raise ValueError(f"low must be below high (got low {self.low}, high {self.high})")


def _initializer(name: str) -> Any:
    found = _STARTS[name]
    left_out = ("gain", "fan") if found.given else ()  # what such a name stands for
    title = {"constant": "ConstantInit"}.get(name, name.title().replace("_", ""))
    check = _ordered if name == "uniform" else None
    return table(found, Nouns(__name__, {}), name, title, left_out, check=check)


INITIALIZERS = {name: _initializer(name) for name in _STARTS if name not in NOT_OFFERED}
_of_vectors = {
    k: t for k, t in INITIALIZERS.items() if "variance_scaling" not in _STARTS[k].lineage
}


def _default(node: ast.expr) -> Any:
    """A default of the library, where an initialiser may stand for itself or be called."""
    if isinstance(node, ast.Name):
        given = _STARTS[node.id].given
        return INITIALIZERS[node.id]() if node.id in INITIALIZERS else given and _default(given)
    if isinstance(node, ast.Call):
        kind = ast.unparse(node.func)
        given = arguments(node, _STARTS[kind].fields)
        return INITIALIZERS[kind](**{n: ast.literal_eval(value) for n, value in given.items()})
    return ast.literal_eval(node)


@section
class Activation(Section):
    """An activation function as a layer of its own, where it can take a parameter or a form."""

    name: ActivationName
    """Which function."""
    parameter: float | None = None
    """Its number, such as the slope of leaky_relu; unset: the usual one."""
    form: FormName | None = None
    """Its word, such as tanh for the gelu that some published models have; unset: the exact one."""
    kind: Literal["activation"] = "activation"

    def __post_init__(self) -> None:
        for key, takers in {"parameter": WITH_PARAMETER, "form": FORMS}.items():
            if getattr(self, key) is not None and self.name not in takers:
                known = ", ".join(takers)
                raise ValueError(f"{self.name} takes no {key}, only these do: {known}")


_after = {"activation": Own(ActivationName, "linear", "Function applied to the outputs.")}
_at_the_end = {
    "on_output": Own(
        bool,
        False,
        "Has to be true behind the last layer with weights, where it works on the outputs.",
    )
}
_MAPS = ("Dense", "DropConnect", "Conv", "ConvTranspose", "LocallyConnected")
_OWN = {**dict.fromkeys(_MAPS, _after), **dict.fromkeys(("Dropout", "BatchNorm"), _at_the_end)}
_in_layers = Nouns(
    __name__,
    {
        "Layer": "LayerSpec",
        "Initializer": one_of(INITIALIZERS),
        "BiasInitializer": one_of(_of_vectors),
    },
    _default,
)


def _layers() -> Mapping[str, Any]:
    found = {name: f for name, f in derived("Layer").items() if not f.given}
    found["Serial"] = public("jaxnn.layers")["Serial"]  # at the top it is the function `serial`
    return {snake(n): table(f, _in_layers, snake(n), n, own=_OWN.get(n)) for n, f in found.items()}


LAYERS = {**_layers(), "activation": Activation}
LOSSES = {
    name: table(found, Nouns(__name__, {}), name, found.lineage[0], _SUMMED)
    for name, found in derived("Loss").items()
}

_cross_entropy = LOSSES["softmax_cross_entropy"]()

if TYPE_CHECKING:
    LayerSpec = Any
    LossSpec = Any
else:
    LayerSpec, LossSpec = one_of(LAYERS), one_of(LOSSES)


@section
class Model(Section):
    """The network."""

    layers: Annotated[tuple[LayerSpec, ...], Field(min_length=1)]
    """First to last."""
    loss: LossSpec = _cross_entropy
    """What training makes small."""
    backward: BackwardName = "backprop"
    """How the error of the outputs comes down to the dense layers."""

    def __post_init__(self) -> None:
        for number, layer in reversed(list(enumerate(self.layers))):
            if any(inner.kind in map(snake, _MAPS) for inner in every_layer(layer)):
                break
            if getattr(layer, "on_output", True) is False:
                raise ValueError(
                    f"layers.{number}: {layer.kind} behind the last dense layer works on the "
                    "outputs; move it up, or say on_output = true"
                )


def every_layer(layer: Any) -> list[Any]:
    """The table of a layer, and those of the layers inside it."""
    found = [layer]
    for value in vars(layer).values():
        for inner in value if isinstance(value, tuple) else (value,):
            found += every_layer(inner) if getattr(inner, "kind", None) in LAYERS else []
    return found
