"""What is recorded of the layers while they train, and how it comes to TensorBoard."""

import dataclasses
import json
import math
import sys
import types
from pathlib import Path
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnn as nn
from experiments import config
from experiments.common.failures import ConfigError
from experiments.config.file import load
from experiments.data import read
from experiments.training.events import Events, tag
from experiments.training.histograms import bins, histograms
from experiments.training.loop import Epoch, start
from experiments.training.measure import measure, ready
from experiments.training.task import Part, Task, prepare
from experiments.training.watch import watch

NET = nn.serial(nn.Dense(4), nn.relu, nn.serial(nn.Dense(5), nn.tanh), nn.Dense(2), nn.sigmoid)
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(20, 3)), jnp.float32)
Y = jnp.asarray(RNG.uniform(size=(20, 2)), jnp.float32)
TASK = Task(NET, nn.half_square, nn.SGD(0.5), nn.l2(0.1), Part(X, Y), Part(X, Y))


def floats(values):
    return np.array(values, np.float32)


def setting(**train):
    iris = load("iris", [])
    return dataclasses.replace(iris, train=dataclasses.replace(iris.train, **train))


@pytest.fixture(scope="module")
def params():
    found = NET.init(jax.random.key(0), X)
    dead = found[0]._replace(b=jnp.asarray([0.0, -100.0, 0.0, -100.0]))
    full = found[2][0]._replace(b=jnp.asarray([0.0, 100.0, 0.0, -100.0, 100.0]))
    return (dead, (), (full, ()), *found[3:])


def seen(params, *asked):
    state = nn.State(params, TASK.optimizer.init(params))
    experiment = setting(watch=asked, batch_size=8)
    return watch(experiment, TASK, Epoch(1, state, 0.0, 0.0), NET, params)


def test_gradients_and_updates_are_those_of_the_first_mini_batch(params):
    found = seen(params, "gradients", "updates")
    _, grads = nn.backprop(NET, nn.half_square, params, X[:8], Y[:8])
    for path, g, p in (
        ("0", grads[0], params[0]),
        ("2/0", grads[2][0], params[2][0]),
        ("3", grads[3], params[3]),
    ):
        dw = np.asarray(g.w + 0.1 * p.w)
        norms = np.linalg.norm(dw), np.linalg.norm(g.b)
        ratio = 0.5 * norms[0] / np.linalg.norm(p.w)
        assert found.pop(f"gradient_norm {path}/w") == pytest.approx(norms[0], rel=1e-5)
        assert found.pop(f"gradient_norm {path}/b") == pytest.approx(norms[1], rel=1e-5)
        assert found.pop(f"update_ratio {path}/w") == pytest.approx(ratio, rel=1e-5)
    assert not found


def test_dead_and_saturated_units_are_counted(params):
    found = seen(params, "units")
    assert found["dead 1"] == 0.5
    outputs = np.asarray(nn.predict(nn.layers.Serial(NET.layers[:3]), params[:3], X))
    assert found["saturated 2/1"] == pytest.approx((np.abs(outputs) > 0.98).mean(), rel=1e-6)
    assert 0.59 < found["saturated 2/1"] < 1
    assert found["saturated 4"] < 0.1
    assert len(found) == 3


def test_histograms_are_of_activations_and_of_errors(params):
    found = histograms(TASK, NET, params)
    a = np.asarray(nn.predict(NET, params, X))
    hidden = np.asarray(nn.predict(nn.layers.Serial(NET.layers[:2]), params[:2], X))
    delta = (a - np.asarray(Y)) * a * (1 - a)  # dl_n/dz of the last dense layer, by hand
    assert list(found["activations"]) == ["1", "2/1", "4"]
    assert list(found["deltas"]) == ["0", "2/0", "3"]
    for kind, path, values in (
        ("activations", "1", hidden), ("activations", "4", a), ("deltas", "3", delta)
    ):  # fmt: skip
        ours = found[kind][path]
        assert (ours["low"], ours["high"]) == pytest.approx((values.min(), values.max()), rel=1e-5)
        assert (len(ours["counts"]), sum(ours["counts"])) == (30, values.size)
    share = np.histogram(delta, 30)[0] - found["deltas"]["3"]["counts"]
    assert np.abs(share).sum() <= 2  # a value at the edge of two bins may round to either


def test_bins_hold_what_is_finite():
    assert bins(floats([np.nan, 1, 3, np.inf]))["counts"] == [1, *[0] * 28, 1]
    assert bins(floats([np.nan])) == {"low": 0.0, "high": 0.0, "counts": []}
    constant = bins(floats([2, 2]))
    assert constant["low"] < 2 < constant["high"]
    assert sum(constant["counts"]) == 2


DENSE, RELU, OUTPUT = config.Dense(units=8), config.Activation(name="relu"), config.Dense(units=3)
NORMAL = (DENSE, config.BatchNorm(), RELU, config.Dropout(drop_rate=0.4), OUTPUT)
KINDS = {
    "in training other than tested": (NORMAL, "backprop", "bfloat16", 0.9),
    "a direct rule": ((DENSE, RELU, OUTPUT), "direct_feedback_alignment", "float32", None),
    "a rule that draws": ((DENSE, RELU, OUTPUT), "weight_mirror", "float32", None),
}


@pytest.mark.parametrize(("layers", "backward", "precision", "average"), KINDS.values(), ids=KINDS)
def test_every_kind_of_network_is_measured(layers, backward, precision, average):
    every = ("gradients", "updates", "units")
    base = setting(watch=every, metrics=("f1",), precision=precision, average=average)
    model = dataclasses.replace(base.model, layers=layers, backward=backward)
    experiment = dataclasses.replace(base, model=model)
    task = prepare(experiment, read(experiment.data, 0))
    ready(experiment, task)
    state = start(experiment, task)
    assert state.statistics is not None
    seen_one = state.statistics._replace(count=jnp.ones((), jnp.int32))  # else nothing to freeze
    epoch = Epoch(1, state._replace(statistics=seen_one), 0.0, 0.0)
    metrics, found = measure(experiment, task, epoch)
    assert all(math.isfinite(value) for value in metrics.values())
    names = ["epoch", "objective", "test_f1", "gradient_norm", "update_ratio", "dead"]
    assert {name.split()[0] for name in metrics} >= set(names)
    relu, last = str(layers.index(RELU)), str(len(layers) - 1)
    assert (set(found["activations"]), set(found["deltas"])) == ({relu, last}, {"0", last})
    assert (metrics, found) == measure(experiment, task, epoch)


def test_a_network_without_layers_to_look_at_has_nothing_to_say():
    net = nn.serial(nn.linear(2.0))
    task = TASK._replace(net=net, train=Part(X[:, :2], Y), penalty=None)
    state = nn.State(((),), TASK.optimizer.init(((),)))
    experiment = setting(watch=("gradients", "updates", "units"))
    assert watch(experiment, task, Epoch(1, state, 0.0, 0.0), net, ((),)) == {}
    found = histograms(task, net, ((),))
    assert list(found["activations"]) == ["0"]
    assert found["deltas"] == {}


class Writer:
    """Stands in for the SummaryWriter of tensorboardX, and writes down its calls."""

    made: ClassVar[list["Writer"]] = []

    def __init__(self, logdir, purge_step=None, filename_suffix=""):
        self.purge_step, self.calls = purge_step, []
        Path(logdir).mkdir(exist_ok=True)
        (Path(logdir) / f"events{filename_suffix}").touch(exist_ok=False)
        self.made.append(self)

    def __getattr__(self, name):
        return lambda *words, **named: self.calls.append((name, words, named))


def test_events_are_written_again_from_the_lines_of_a_run(tmp_path, monkeypatch):
    module = types.ModuleType("tensorboardX")
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    monkeypatch.setattr(module, "SummaryWriter", Writer, raising=False)
    monkeypatch.setattr(Writer, "made", [])
    line, spread = {"epoch": 1, "test_loss": "nan", "dead 3": 0.5}, bins(floats([0, 1, 1]))
    with Events(setting(tensorboard=True), tmp_path) as events:
        events.epoch(line, {"deltas": {"3": spread}})
    (tmp_path / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "histograms.jsonl").write_text(json.dumps({"epoch": 1, "deltas": {"3": spread}}))
    with Events(setting(tensorboard=True), tmp_path) as events:
        events.epoch({**line, "epoch": 2}, None)
    first, second = Writer.made
    assert (first.purge_step, second.purge_step) == (None, 1)
    names = [name for name, _, _ in first.calls]
    assert names == ["add_scalar", "add_scalar", "add_histogram_raw", "flush", "close"]
    (_, (_, value, step), _), (_, dead, _), (_, (path,), raw) = first.calls[:3]
    assert math.isnan(value)
    assert (step, dead, path, raw["num"]) == (1, ("dead/3", 0.5, 1), "deltas/3", 3)
    assert raw["sum"] == pytest.approx(2, abs=1 / 20)
    assert [words[-1] for name, words, _ in second.calls if name == "add_scalar"] == [1, 1, 2, 2]


def test_without_tensorboard_there_are_no_events(tmp_path, monkeypatch):
    with Events(setting(), tmp_path) as events:
        events.epoch({"epoch": 1, "objective": 1.0}, None)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"train.tensorboard: .*\n  pip install 'jaxnn\[tensorb"):
        ready(setting(tensorboard=True), TASK)


def test_tags_are_grouped_as_tensorboard_shows_them():
    assert tag("validation_top_3") == "top_3/validation"
    assert tag("gradient_norm 2/0/w") == "gradient_norm/2/0/w"
    assert tag("[1].w delta") == "_1_.w/delta"
