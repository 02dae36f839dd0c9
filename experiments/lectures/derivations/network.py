"""Random networks of many sizes, and every derivative of their cost by `jax.grad`.

Layers are numbered from the input, 0, to the output, L. No two layers have the same size, except
where a figure of the notes has two neurons on two, and the number of examples is another size: a
transposed matrix does not fit. Where an equation does not fit, the judge asks for the network of
equal layers, to see by how much it is off.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.lectures.derivations.autodiff import in_float64

EXAMPLES = 7
Layers = Mapping[int, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """Layer sizes, which example (None for all), the output's activation, the cost of an example.

    The cost of several examples is the mean of theirs. The parameters do not depend on `example`.
    """

    sizes: tuple[int, ...] = (4, 6, 5, 2, 3)
    example: int | None = 1
    output: str = "sigmoid"
    cost: str = "half square"

    def equal(self) -> "Setting":
        """The same with all layers as wide as the widest."""
        return replace(self, sizes=(max(self.sizes),) * len(self.sizes))


ONE_EXAMPLE = Setting()


@dataclass(frozen=True)
class Case:
    """A setting with its numbers: a batch has an axis for the examples behind that of the neurons.

    w[l] (n_l, n_(l-1)), b[l], z[l], a[l] for l = 1..L, a[0] the input; dw, db, dz, da the
    derivatives of `cost` by each. With one neuron in each layer that axis is dropped everywhere.
    """

    setting: Setting
    y: np.ndarray
    cost: np.ndarray
    w: Layers
    b: Layers
    z: Layers
    a: Layers
    dw: Layers
    db: Layers
    dz: Layers
    da: Layers

    @property
    def last(self) -> int:
        """L, the number of the output layer."""
        return len(self.w)

    def other(self, example: int | None) -> "Case":
        """The same network on another example; None for all of them."""
        return make(replace(self.setting, example=example))


COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "square": lambda a, y: jnp.sum((a - y) ** 2, axis=0),
    "half square": lambda a, y: jnp.sum((a - y) ** 2, axis=0) / 2,
    "cross entropy": lambda a, y: -jnp.sum(y * jnp.log(a), axis=0),
    "binary cross entropy": lambda a, y: (
        -jnp.sum(y * jnp.log(a) + (1 - y) * jnp.log(1 - a), axis=0)
    ),
}
OUTPUTS = {"sigmoid": jax.nn.sigmoid, "softmax": functools.partial(jax.nn.softmax, axis=0)}


@functools.cache
def make(setting: Setting) -> Case:
    """The random network and examples of a setting, always the same, and all derivatives."""
    w, b, x, y = _draw(setting)
    z = {layer: np.zeros((len(b[layer]), EXAMPLES)) for layer in w}
    a = {0: np.zeros(x.shape), **z}
    (cost, (z, a)), (dw, db, dz, da) = in_float64(
        _all_derivatives, w, b, z, a, x, y, shares(setting), *kind(setting)
    )
    if setting.example is not None:
        y, z, a, dz, da = jax.tree.map(lambda v: v[:, setting.example], (y, z, a, dz, da))
    values: Any = (y, cost, w, b, z, a, dw, db, dz, da)
    if max(setting.sizes) == 1:
        values = jax.tree.map(np.squeeze, values)
    return Case(setting, *values)


def objective(
    w: Any, b: Any, dz: Any, da: Any, x: Any, y: Any, share: Any, output: Any, cost: Any
) -> tuple[Any, Any]:
    """(C, (z, a)) for jax. The nudges dz and da are zero: they are there to differentiate by.

    x, y hold all examples, and `share` says how much each counts. `output` and `cost` are positions
    in OUTPUTS and COSTS. So one compiled program serves all settings with the same layers.
    """
    a, z = {0: x + da[0]}, {}
    for layer in sorted(w):
        z[layer] = w[layer] @ a[layer - 1] + b[layer][:, None] + dz[layer]
        if layer < len(w):
            a[layer] = jax.nn.sigmoid(z[layer]) + da[layer]
        else:
            a[layer] = jax.lax.switch(output, list(OUTPUTS.values()), z[layer]) + da[layer]
    return share @ jax.lax.switch(cost, list(COSTS.values()), a[len(w)], y), (z, a)


_all_derivatives = jax.jit(jax.value_and_grad(objective, argnums=(0, 1, 2, 3), has_aux=True))


def shares(setting: Setting) -> np.ndarray:
    """How much each example counts in C: equally, or one alone. (examples,)"""
    if setting.example is None:
        return np.full(EXAMPLES, 1 / EXAMPLES)
    return np.eye(EXAMPLES)[setting.example]


def kind(setting: Setting) -> tuple[int, int]:
    """The last two arguments of `objective`."""
    return list(OUTPUTS).index(setting.output), list(COSTS).index(setting.cost)


def _draw(setting: Setting) -> tuple[dict[int, Any], dict[int, Any], np.ndarray, np.ndarray]:
    """Parameters, inputs and targets. Targets of a softmax are distributions: no zero hides a
    term of theirs; targets of a binary cross-entropy are 0 and 1; others lie between."""
    rng = np.random.default_rng(len(setting.sizes) + sum(setting.sizes))
    pairs = list(zip(setting.sizes[1:], setting.sizes, strict=False))
    w = {layer: rng.normal(size=pair) for layer, pair in enumerate(pairs, 1)}
    b = {layer: rng.normal(size=pair[0]) for layer, pair in enumerate(pairs, 1)}
    x = rng.normal(size=(setting.sizes[0], EXAMPLES))
    y = rng.uniform(size=(setting.sizes[-1], EXAMPLES))
    if setting.output == "softmax":
        y = y / y.sum(0)
    if setting.cost == "binary cross entropy":
        y = np.round(y)
    return w, b, x, y
