"""Whole runs of the application, and what it says of configs that do not fit their data."""

import json
import tomllib

import jax
import numpy as np
import pytest

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import (
    SGD,
    AdamW,
    Cosine,
    Data,
    Dense,
    Experiment,
    Exponential,
    HalfSquare,
    Inverse,
    Model,
    SigmoidCrossEntropy,
    Step,
    Train,
)
from experiments.config.file import load, shipped
from experiments.training import build
from experiments.training.run import run
from experiments.training.scores import scores
from experiments.training.task import prepare


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Data sets are cached in the test's own folder, not in the user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_digits_reaches_97_percent_and_leaves_a_whole_record(tmp_path, capsys):
    folder = tmp_path / "0001-digits"
    folder.mkdir()
    metrics = run(load("digits", []), folder)
    assert metrics["test_accuracy"] >= 0.97
    printed = capsys.readouterr().out
    assert f"{metrics['test_accuracy']:.2%}" in printed
    assert str(folder) in printed.replace("\n", "")
    assert [line["epoch"] for line in lines(folder)] == list(range(1, 41))
    assert lines(folder)[-1] == metrics
    assert json.loads((folder / "environment.json").read_text())["seed"] == 0
    assert load(str(folder / "config.toml"), []) == load("digits", [])


def test_the_saved_parameters_are_those_of_the_last_epoch(tmp_path):
    experiment = load("iris", ["--train.epochs", "3"])
    metrics = run(experiment, tmp_path)
    task = task_of(experiment)
    like = task.net.init(jax.random.key(1), task.train.x[:1])
    params = nn.load(tmp_path / "parameters.safetensors", like)
    assert scores(task, params)["test_loss"] == metrics["test_loss"]


def test_a_run_repeats_itself_byte_for_byte(tmp_path):
    saved = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(load("wine", ["--train.epochs", "2", "--train.l2", "0.01"]), tmp_path / name)
        saved.append((tmp_path / name / "parameters.safetensors").read_bytes())
    assert saved[0] == saved[1]


def test_regression_reports_r2(tmp_path, capsys):
    metrics = run(load("diabetes", []), tmp_path)
    assert 0.3 < metrics["test_r2"] < 0.7
    assert "R2" in capsys.readouterr().out


def task_of(experiment):
    from experiments.data import load as load_data

    data = load_data(experiment.data.name, test_fraction=0.2, seed=experiment.seed)
    return prepare(experiment, data)


def small(name, units, loss, **train):
    layers = (Dense(units=units),)
    settings = {"epochs": 2, "batch_size": 16, "lr": 0.01} | train
    return Experiment(
        name="test",
        data=Data(name=name),
        model=Model(layers=layers, loss=loss),
        train=Train(**settings),
    )


def test_two_classes_can_share_one_output_under_the_sigmoid(tmp_path):
    experiment = small("breast_cancer", 1, SigmoidCrossEntropy(), epochs=20, lr=0.1)
    assert run(experiment, tmp_path)["test_accuracy"] > 0.9


def test_square_costs_of_classes_get_one_hot_targets(tmp_path):
    assert task_of(small("iris", 3, HalfSquare())).train.y.shape == (120, 3)
    assert run(small("iris", 3, HalfSquare(), epochs=20), tmp_path)["test_accuracy"] > 0.6


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (small("iris", 4, HalfSquare()), r"expected 3 outputs .*class, got \(4,\); .* of 3 units"),
        (small("digits", 10, HalfSquare()), r"expected 10 outputs .* \(8, 10\); .*flatten images"),
        (small("diabetes", 2, HalfSquare()), r"expected 1 outputs .*each target"),
        (load("iris", []).model, r"softmax_cross_entropy needs classes.*use half_square"),
    ],
)
def test_a_network_that_does_not_fit_the_data_is_refused(experiment, message):
    if isinstance(experiment, Model):
        fine = small("diabetes", 1, HalfSquare())
        experiment = Experiment(name="t", data=fine.data, model=experiment, train=fine.train)
    with pytest.raises(ConfigError, match=message):
        task_of(experiment)


@pytest.mark.parametrize("name", shipped())
def test_every_word_of_a_shipped_config_is_understood(name):
    experiment = load(name, [])
    assert build.loss(experiment.model) is not None
    optimizer = build.optimizer(experiment.train, 1000)
    assert hasattr(optimizer, "update")


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ({}, nn.SGD(0.01)),
        ({"optimizer": SGD(momentum=0.9, nesterov=True)}, nn.SGD(0.01, 0.9, True)),
        ({"optimizer": AdamW(weight_decay=0.1)}, nn.AdamW(0.01, weight_decay=0.1)),
        ({"schedule": Cosine(final=0.1)}, nn.SGD(nn.schedules.CosineDecay(0.01, 126, 0.001))),
        ({"schedule": Inverse(decay=0.5)}, nn.SGD(nn.schedules.InverseDecay(0.01, 0.5))),
        (
            {"schedule": Step(factor=0.5, every=7, warm_up=5)},
            nn.SGD(nn.schedules.WarmUp(5, nn.schedules.StepDecay(0.01, 0.5, 7))),
        ),
        (
            {"schedule": Exponential(factor=0.5, every=7), "clip_norm": 1.0, "clip_value": 2.0},
            nn.chain(
                nn.clip_by_value(2.0),
                nn.clip_by_global_norm(1.0),
                nn.SGD(nn.schedules.ExponentialDecay(0.01, 0.5, 7)),
            ),
        ),
    ],
)
def test_optimizers_schedules_and_clipping_are_built_as_written(train, expected):
    given = small("iris", 3, HalfSquare(), **train).train
    assert build.optimizer(given, 1000) == expected


def test_every_initialiser_and_layer_of_a_config_is_built_as_written(tmp_path):
    text = """
        name = "all"
        data = { name = "digits" }
        train = { epochs = 1, batch_size = 32, lr = 0.1 }
        [[model.layers]]
        kind = "flatten"
        [[model.layers]]
        kind = "dense"
        units = 5
        activation = "sigmoid"
        init = { kind = "he", distribution = "uniform" }
        [[model.layers]]
        kind = "dense"
        units = 10
        bias = false
        init = { kind = "uniform", low = 0, high = 0.01 }
        [[model.layers]]
        kind = "activation"
        name = "leaky_relu"
        parameter = 0.2
        [[model.layers]]
        kind = "activation"
        name = "gelu"
        form = "tanh"
    """
    path = tmp_path / "all.toml"
    path.write_text(text)
    assert tomllib.loads(text)
    assert task_of(load(str(path), [])).net == nn.serial(
        nn.Pixels(16.0),
        nn.Flatten(),
        nn.Dense(5, w_init=nn.initializers.he.replace(distribution="uniform")),
        nn.sigmoid,
        nn.Dense(10, w_init=nn.initializers.uniform(0.0, 0.01), bias=False),
        nn.leaky_relu(0.2),
        nn.gelu("tanh"),
    )


REGULAR = """
    name = "regular"
    data = { name = "wine" }
    train = { epochs = 20, batch_size = 16, lr = 0.01, optimizer = { kind = "adam" } }
    [[model.layers]]
    kind = "dense"
    units = 32
    [[model.layers]]
    kind = "batch_norm"
    [[model.layers]]
    kind = "activation"
    name = "relu"
    [[model.layers]]
    kind = "dropout"
    drop_rate = 0.3
    [[model.layers]]
    kind = "dense"
    units = 3
"""


def test_dropout_and_batch_norm_are_trained_and_frozen_for_the_test(tmp_path):
    path = tmp_path / "regular.toml"
    path.write_text(REGULAR)
    metrics = run(load(str(path), []), tmp_path)
    assert metrics["test_accuracy"] > 0.9
    # what is saved is the frozen network: scale and shift where batch-norm was
    saved = nn.serial(nn.Dense(32), nn.layers.Rescale(), nn.relu, nn.linear, nn.Dense(3))
    like = saved.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 13), np.float32))
    task = task_of(load(str(path), []))._replace(net=saved)
    params = nn.load(tmp_path / "parameters.safetensors", like)
    assert scores(task, params)["test_loss"] == metrics["test_loss"]


@pytest.mark.parametrize("kind", ['"dropout"\n    drop_rate = 0.5', '"batch_norm"'])
def test_the_output_layer_is_left_alone_unless_asked(kind, tmp_path):
    path = tmp_path / "regular.toml"
    text = f"{REGULAR}    [[model.layers]]\n    kind = {kind}\n"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"layers\.5: .* behind the last dense .* on_output"):
        load(str(path), [])
    path.write_text(f"{text}    on_output = true\n")
    assert load(str(path), []).model.layers[-1].on_output  # pyright: ignore


def test_an_epoch_can_be_a_random_sample(tmp_path):
    metrics = run(load("iris", ["--train.sample", "8", "--train.epochs", "3"]), tmp_path)
    assert [set(line) - set(metrics) for line in lines(tmp_path)] == [set()] * 3
    assert "train_loss" in metrics
    assert "train_loss" not in lines(tmp_path)[0]
