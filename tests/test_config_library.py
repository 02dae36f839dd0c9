"""Configs beside the library: what is public there is a kind here, and says the same of itself."""

import ast
import dataclasses
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import jaxnn as nn
from experiments import config
from experiments.common.failures import ConfigError
from experiments.config.file import load
from experiments.config.library import public, typed
from experiments.config.network import NOT_OFFERED
from experiments.config.toml import same, to_toml
from experiments.data import read
from experiments.training import build
from experiments.training.task import prepare
from jaxnn.core import Layer, Tree
from jaxnn.core.types import Array
from jaxnn.initializers import Initializer
from jaxnn.layers.elementwise import Activation

ROOT = Path(__file__).parent.parent
# What training itself is made of in a config, by the key that asks for it.
KEYS = {
    "Averaged": "average",
    "LossScaled": "precision",
    "clip_by_global_norm": "clip_norm",
    "clip_by_value": "clip_value",
    "clip_examples": "clip_examples",
    "track_noise_scale": "noise_scale",
    "elastic": "l1",
    "l1": "l1",
    "l2": "l2",
}
APART = {
    **NOT_OFFERED,
    "averaged": "reads the average, which the test of every epoch does",
    "linear_cross_entropy": "is for programs with none of the networks here",
    "chain": "stands where clip_norm or clip_value is set",
    "serial": "the layers of a config are one after the other",
    "soft_threshold": "follows the rate of gradient descent alone, see the demo regularisation",
}
READ = {**public(), **public("jaxnn.initializers"), **public("jaxnn.schedules")}
TABLES = [
    *config.INITIALIZERS.values(),
    *config.LAYERS.values(),
    *config.LOSSES.values(),
    *config.OPTIMIZERS.values(),
    *config.SCHEDULES.values(),
]


def made_from_the_library() -> list[Any]:
    return [made for made in TABLES if hasattr(made, "source")]


def offered() -> set[str]:
    """The public names that a config can ask for."""
    return {made.source[1] for made in made_from_the_library()} | {
        name for name in nn.__all__ if isinstance(getattr(nn, name), Activation)
    }


def nouns() -> list[str]:
    """The public layers, losses, optimizers, penalties, initialisers and schedules."""
    rooms = ("jaxnn.layers", "jaxnn.losses", "jaxnn.optim")
    stub = ast.parse((ROOT / "jaxnn/__init__.pyi").read_text()).body
    imports = [node for node in stub if isinstance(node, ast.ImportFrom)]
    of_rooms = [node for node in imports if str(node.module).startswith(rooms)]
    flat = [alias.asname or alias.name for node in of_rooms for alias in node.names]
    every = {*flat, *nn.initializers.__all__, *nn.schedules.__all__}
    return sorted(every - {"Loss", "Schedule"})  # which are bases


@pytest.mark.parametrize("name", nouns())
def test_every_public_noun_is_reachable_from_a_config_or_says_why_not(name: str):
    keys = {field.name for field in dataclasses.fields(config.Train)}
    ways = [name in offered(), KEYS.get(name) in keys, name in APART]
    assert sum(ways) == 1, f"{name}: expected one way, or one reason, got {ways}"


def test_nothing_is_set_apart_that_is_gone():
    assert {*KEYS, *APART} <= {*nouns()}


@pytest.mark.parametrize("found", READ.values(), ids=lambda found: found.name)
def test_what_is_read_off_the_source_is_what_the_class_says(found):
    value = getattr(__import__(found.module, fromlist=["_"]), found.name)
    cls = value if isinstance(value, type) else type(value)
    if not dataclasses.is_dataclass(cls):
        pytest.skip("a record without ranges")
    fields = dataclasses.fields(cls)
    assert [field.name for field in found.fields] == [field.name for field in fields]
    assert inspect.cleandoc(cls.__doc__ or "").startswith(found.doc.split(" ")[0])
    nouns = {"Number": Any, "Layer": Layer, "Initializer": Initializer, "Tree": Tree}
    for ours, field in zip(found.fields, fields, strict=True):
        wanted = typed(ours, nouns | {"BiasInitializer": Initializer, "Array": Array})
        assert wanted is None or wanted == field.type, f"{found.name}.{field.name}"
        assert (ours.default is None) == (field.default is dataclasses.MISSING)
        assert ours.doc or wanted is None or found.name in APART, f"{field.name} has no string"


@pytest.mark.parametrize("made", made_from_the_library(), ids=lambda made: made.kind)
def test_the_defaults_of_a_table_are_those_of_the_library(made):
    needed = {f.name: f for f in dataclasses.fields(made) if f.default is dataclasses.MISSING}
    example = {
        "layer": config.Dense(units=3),
        "branch": config.Dense(units=3),
        "groups": (("[0]", "[1]"),),
        "layers": (config.Dense(units=3), config.Flatten()),
        **({"groups": 3} if made.kind == "group_norm" else {}),
        **{"merge": "sum", "fan": "in", "distribution": "normal", "low": -1.0, "drop_rate": 0.5},
        **{"shape": (-1, 3), "axes": (2, 1)},
    }
    spec = made(**{name: example.get(name, 3) for name in needed})
    target = build.target_of(spec)
    if not isinstance(target, type):
        assert build.made(spec) == target
    elif made.kind == "kfac":
        assert build.made(spec, optimizer=nn.SGD(0.1)) == target(nn.SGD(0.1))
    elif made.kind in config.OPTIMIZERS:
        nothing = {"momentum": None} if made.kind == "sgd" else {}
        assert build.made(spec, learning_rate=0.1, **nothing) == target(0.1)
    elif made.kind not in config.SCHEDULES:
        value = build.made(spec)
        given = {f: getattr(value, f) for f, key in made.passed.items() if key in needed}
        assert value == target(**given)


def test_what_reads_the_sweep_stands_in_front_of_what_steps(tmp_path: Path):
    train = load("iris", []).train
    change = dataclasses.replace
    clipped = nn.chain(nn.clip_by_global_norm(1.0), nn.SGD(0.1, momentum=0.5))
    kfac = config.KFAC(damping=0.1, every=2, optimizer=config.SGD(momentum=0.5))
    for changed, expected in (
        (change(train, optimizer=kfac), nn.KFAC(clipped, damping=0.1, every=2)),
        (
            change(train, clip_examples=2.0, noise=0.3),
            nn.chain(nn.clip_examples(2.0, 0.3), clipped),
        ),
        (change(train, noise_scale=True), nn.chain(nn.track_noise_scale(), clipped)),
    ):
        plain = {"lr": 0.1, "clip_norm": 1.0, "schedule": config.ConstantRate()}
        if changed.optimizer.kind != "kfac":
            plain["optimizer"] = config.SGD(momentum=0.5)
        assert build.optimizer(change(changed, **plain), 100) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise": 0.1}, "noise: needs clip_examples"),
        (
            {"clip_examples": 1.0, "noise_scale": True},
            "clip_examples and noise_scale: expected one",
        ),
        ({"noise_scale": True, "optimizer": config.KFAC()}, "noise_scale and kfac: expected one"),
    ],
)
def test_only_one_thing_reads_the_sweep(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(load("iris", []).train, **changes)


def test_what_looks_at_each_example_is_refused_where_layers_mix_them():
    plain = load("iris", [])
    layers = (config.BatchNorm(), *plain.model.layers)
    experiment = dataclasses.replace(
        plain,
        model=dataclasses.replace(plain.model, layers=layers),
        train=dataclasses.replace(plain.train, noise_scale=True),
    )
    with pytest.raises(ConfigError, match=r"train: .*noise_scale .*BatchNorm\(\) mixes them"):
        prepare(experiment, read(experiment.data, 0))


NESTED = """
name = "nested"
data = { name = "iris" }
train = { epochs = 1, batch_size = 8, lr = 1 }
[[model.layers]]
kind = "repeat"
n = 3
[model.layers.layer]
kind = "skip"
[model.layers.layer.branch]
kind = "serial"
[[model.layers.layer.branch.layers]]
kind = "dense"
units = 4
activation = "elu"
[[model.layers.layer.branch.layers]]
kind = "activation"
name = "leaky_relu"
parameter = 0.2
[[model.layers]]
kind = "parallel"
merge = "concat"
layers = [{ kind = "dense", units = 1 }, { kind = "dense", units = 2, bias = false }]
"""


def write(folder: Path, *changes: tuple[str, str]) -> str:
    text = NESTED
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "nested.toml"
    path.write_text(text)
    return str(path)


def test_layers_of_layers_nest(tmp_path: Path):
    experiment = load(write(tmp_path), [])
    branch = nn.serial(nn.serial(nn.Dense(4), nn.elu), nn.leaky_relu(0.2))
    two = (nn.Dense(1), nn.Dense(2, bias=False))
    net = nn.serial(nn.Repeat(nn.Skip(branch), 3), nn.Parallel(two, "concat"))
    assert build.network(experiment, None) == net
    (tmp_path / "shown.toml").write_text(to_toml(experiment))
    assert load(str(tmp_path / "shown.toml"), []) == experiment
    changed = load(
        write(tmp_path), ["--model.layers.0.n", "5", "--model.layers.1.layers.0.units=7"]
    )
    assert (changed.model.layers[0].n, changed.model.layers[1].layers[0].units) == (5, 7)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("n = 3", "n = 0"), "model.layers.0.n: expected a whole number of at least 1 (got 0)"),
        (
            ('kind = "skip"', 'kind = "skap"'),
            "model.layers.0.layer: unknown layer 'skap', did you mean 'skip'? known: "
            + ", ".join(sorted(config.LAYERS)),
        ),
        (
            ("units = 4", "unit = 4"),
            "model.layers.0.layer.branch.layers.0.unit: unknown key, did you mean 'units'? (got 4)",
        ),
        (('"concat"', '"mean"'), "model.layers.1.merge: unknown merge 'mean', known: concat, sum"),
    ],
    ids=str,
)
def test_problems_inside_layers_are_found_by_their_keys(change, line: str, tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, change), [])
    assert f"  {line}" in str(caught.value).splitlines()


def test_what_only_the_layer_knows_is_refused_with_the_key(tmp_path: Path):
    none = 'layers = [{ kind = "dense", units = 1 }, { kind = "dense", units = 2, bias = false }]'
    experiment = load(write(tmp_path, (none, "layers = []")), [])
    with pytest.raises(
        ConfigError, match=r"model\.layers: Parallel: expected a tuple of one or more"
    ):
        prepare(experiment, read(experiment.data, 0))


def test_a_config_saved_before_a_key_existed_is_still_the_same():
    text = to_toml(load("wine", []))
    assert "smoothing = 0.0\n" in text
    older = text.replace("smoothing = 0.0\n", "")
    assert same(older, text)
    assert not same(text.replace("seed = 0", "seed = 1"), text)
    assert not same("no TOML", text)


@pytest.mark.parametrize(
    "name", ["silu", "softplus", "elu", "AdaGrad", "RMSProp", "sum_square", "Skip"]
)
def test_a_noun_is_written_in_three_places(name: str):
    """In its own file, in its room and in the list of public names; measurements are apart."""
    files = [*ROOT.glob("jaxnn/**/*.py*"), *ROOT.glob("experiments/**/*.py")]
    apart = ("bench", "lectures")
    code = {path: path.read_text() for path in files if path.suffix in (".py", ".pyi")}
    places = [
        path for path, text in code.items()
        if not {*apart} & {*path.parts} and re.search(rf"^[^#\"]*\b{name}\b", text, re.MULTILINE)
    ]  # fmt: skip
    assert len(places) == 3, places
