"""What looks inside sees through every combinator: dead units, histograms of errors, where a nan
was made; each is planted inside of one, and found by its path."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments.config.file import load
from experiments.training.histograms import histograms
from experiments.training.loop import Epoch
from experiments.training.nonfinite import find
from experiments.training.notes import short
from experiments.training.task import Part, Task
from experiments.training.watch import watch
from jaxnn.core import Scaled
from jaxnn.core.places import value_at, with_value
from tests.compare import KEY

N, WIDTH = 6, 4
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(N, WIDTH)), jnp.float32)
Y = jnp.asarray(RNG.normal(size=(N, WIDTH)), jnp.float32)


class Two(NamedTuple):
    """Two numbers of a layer that are 1."""

    up: Any
    down: Any


class Ratio(nn.Layer):
    """y = x up / up, dx = dy down / down: nan in one direction where that number is 0."""

    def init(self, key, x):
        return Two(jnp.ones(()), jnp.ones(()))

    def forward(self, params, x, key=None):
        return x * (params.up / params.up), jnp.zeros_like(x)

    def backward(self, params, residuals, dy, read):
        still = read(Scaled(residuals, jnp.zeros_like(dy), rank=0))
        return dy * (params.down / params.down), Two(still, still)


class Pair(nn.Layer):
    """y = (x, x)."""

    def forward(self, params, x, key=None):
        return (x, x), ()

    def backward(self, params, residuals, dy, read):
        return dy[0] + dy[1], ()


class Case(NamedTuple):
    """A network, and where in it the blocks are: how many layers of a Repeat share each path."""

    net: nn.Layer
    blocks: tuple[str, ...] = ("[1]",)
    stacked: tuple[int, ...] = ()
    tied: bool = False


BLOCK = nn.serial(nn.Dense(WIDTH), nn.relu, Ratio())
TWICE = nn.serial(BLOCK, BLOCK)
TIED = ("[0][0].w", "[1][0].w")


def behind(*layers: nn.Layer) -> nn.Layer:
    return nn.serial(nn.Dense(WIDTH), *layers)


CASES = {
    "serial": Case(behind(BLOCK)),
    "skip": Case(behind(nn.Skip(BLOCK))),
    "parallel": Case(behind(nn.Parallel((nn.linear, BLOCK), "sum")), ("[1][1]",)),
    "repeat": Case(behind(nn.Repeat(BLOCK, 3)), stacked=(3,)),
    "tie": Case(behind(nn.Tie(TWICE, TIED)), ("[1][0]", "[1][1]"), tied=True),
    "recompute": Case(behind(nn.Recompute(BLOCK))),
    "chunked": Case(behind(nn.Chunked(BLOCK, 2))),
    "mixed precision": Case(behind(nn.MixedPrecision(BLOCK))),
    "main": Case(behind(Pair(), nn.Main(BLOCK), nn.Take(0)), ("[2]",)),
    "join": Case(behind(Pair(), nn.Join(nn.serial(nn.Take(0), BLOCK)), nn.Take(0)), ("[2][1]",)),
    "two repeats": Case(behind(nn.Repeat(BLOCK, 2), nn.Repeat(BLOCK, 2)), ("[1]", "[2]"), (2,)),
    "repeat in repeat": Case(behind(nn.Repeat(nn.Repeat(BLOCK, 2), 2)), stacked=(2, 2)),
    "repeat and more in repeat": Case(
        behind(nn.Repeat(nn.serial(nn.Repeat(nn.linear, 2), BLOCK), 2)), ("[1][1]",), (2,)
    ),
    "all": Case(
        nn.MixedPrecision(behind(nn.Repeat(nn.Recompute(nn.Tie(nn.Skip(TWICE), TIED)), 2))),
        ("[1][0]", "[1][1]"), (2,), tied=True,
    ),
}  # fmt: skip


PATHS = {name: [short(path) for path in case.blocks] for name, case in CASES.items()}
every = pytest.mark.parametrize("name", CASES)


def setting(**train):
    iris = load("iris", [])
    return dataclasses.replace(iris, train=dataclasses.replace(iris.train, **train))


def ready(net, changed):
    """A task, and a state of training with changed parameters."""
    part = Part(X, Y)
    task = Task(net, nn.half_square, nn.SGD(0.1), None, part, part)
    params = changed(jax.tree.map(lambda leaf: 0.5 * leaf, net.init(KEY, X)))
    return task, nn.State(params, task.optimizer.init(params))


def numbers(path, stacked):
    """The names of the layers at a path, those of a Repeat with their numbers."""
    return ["#".join([path, *map(str, place)]) for place in np.ndindex(*stacked)]


@every
def test_a_dead_unit_is_found(name):
    case, paths = CASES[name], PATHS[name]
    spoiled = tuple(n - 1 for n in case.stacked)

    def changed(params):
        for block in case.blocks:
            b = jnp.full((*case.stacked, WIDTH), 5.0)  # units that live
            b = b.at[(*spoiled, 0)].set(-1e4) if block == case.blocks[0] else b
            params = with_value(params, f"{block}[0].b", b)
        return params

    task, state = ready(case.net, changed)
    asked = setting(watch=("units", "updates"))
    found = watch(asked, task, Epoch(1, state, 0.0, 0.0), case.net, state.params)
    dead = {key: value for key, value in found.items() if key.startswith("dead ")}
    planted = numbers(f"{paths[0]}/1", case.stacked)[-1]
    units = [place for path in paths for place in numbers(f"{path}/1", case.stacked)]
    assert dead == {f"dead {place}": 0.25 * (place == planted) for place in units}
    weights = paths[:1] if case.tied else paths
    ratios = {key for key in found if key.startswith("update_ratio ")}
    assert ratios == {f"update_ratio {path}/w" for path in ("0", *(f"{p}/0" for p in weights))}


@every
def test_errors_are_those_at_the_outputs_of_the_layers_with_weights(name):
    case, paths = CASES[name], PATHS[name]
    task, state = ready(case.net, lambda params: params)
    found = histograms(task, case.net, state.params)

    def one(params, x, y):
        outputs = case.net.forward(params, x[None])[0]
        return nn.half_square(outputs, y[None])[0][0]

    grads = jax.jit(jax.vmap(jax.grad(one), (None, 0, 0)))(state.params, X, Y)
    biases = [np.asarray(value_at(grads, f"{block}[0].b")) for block in case.blocks]
    errors = [np.concatenate([b.reshape(-1) for b in biases])] if case.tied else biases
    assert list(found["deltas"]) == ["0", *(f"{p}/0" for p, _ in zip(paths, errors, strict=False))]
    close = 0.05 if "MixedPrecision" in repr(case.net) else 1e-5  # bfloat16 rounds at 4e-3
    for path, wanted in zip(paths, errors, strict=False):
        ours = found["deltas"][f"{path}/0"]
        assert sum(ours["counts"]) == wanted.size
        assert ours["low"] == pytest.approx(wanted.min(), rel=close)
        assert ours["high"] == pytest.approx(wanted.max(), rel=close)
    units = [place for path in paths for place in numbers(f"{path}/1", case.stacked)]
    assert set(units) <= set(found["activations"])


@every
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_layer_that_makes_a_nan_is_named(name, direction):
    case, paths = CASES[name], PATHS[name]
    first = direction == "forward"  # the nan then passes through all other layers of the network
    spoiled = tuple(n - 1 if first else 0 for n in case.stacked)
    block, path = (case.blocks[0], paths[0]) if first else (case.blocks[-1], paths[-1])

    def changed(params):
        place = f"{block}[2].{'up' if first else 'down'}"
        ones = jnp.ones(case.stacked)
        for other in case.blocks:
            params = with_value(params, f"{other}[2]", Two(ones, ones))
        return with_value(params, place, ones.at[spoiled].set(0.0))

    task, state = ready(case.net, changed)
    told = find(setting(batch_size=N), task, state, 0, 1)
    layer = "#".join([f"{path}/2", *map(str, spoiled)])
    gave = "outputs" if first else "errors"
    assert told.startswith(
        f"iteration 1, {direction}: layer {layer} Ratio() gave {gave} with nan for finite "
    )
