"""Configs that are good: shipped ones, overridden ones, and all kinds of tables."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from experiments import config
from experiments.config.file import load, shipped
from experiments.config.toml import to_toml


def test_the_application_ships_a_config_for_every_data_set():
    found = {load(name, []).data.name for name in shipped()}
    assert found == {"breast_cancer", "diabetes", "digits", "iris", "mnist", "wine"}


@pytest.mark.parametrize("name", shipped())
def test_shipped_configs_load_and_come_back_from_show(name: str, tmp_path: Path):
    first, second = load(name, []), load(name, [])
    assert first.name == name
    assert (first, hash(first)) == (second, hash(second))
    saved = tmp_path / "saved.toml"
    saved.write_text(to_toml(first), encoding="utf-8")
    assert load(str(saved), []) == first


def test_every_kind_of_table_comes_back_from_show(tmp_path: Path):
    inits = (
        config.Glorot(distribution="normal"),
        config.He(),
        config.Lecun(),
        config.Normal(std=1e-30),
        config.Uniform(low=-1.0, high=1e22),
        config.ConstantInit(value=0.1),
    )
    layers = (
        *(config.Dense(units=1, init=init, bias=False) for init in inits),
        config.Activation(name="leaky_relu", parameter=0.2),
        config.Activation(name="gelu", form="tanh"),
        config.Flatten(),
    )
    losses = (config.SigmoidCrossEntropy(), config.HalfSquare(), config.SumSquare())
    optimizers = (config.RMSProp(), config.AdaGrad(), config.AdamW())
    schedules = (
        config.Exponential(factor=0.5, every=3),
        config.Inverse(decay=0.1, warm_up=5),
        config.Step(factor=1.0, every=1),
    )
    for loss, optimizer, schedule in zip(losses, optimizers, schedules, strict=True):
        experiment = config.Experiment(
            name="all",
            seed=2**32 - 1,
            data=config.Data(name="wine", test_fraction=0.5),
            model=config.Model(layers=layers, loss=loss),
            train=config.Train(
                epochs=1,
                batch_size=1,
                lr=1.0,
                optimizer=optimizer,
                schedule=schedule,
                clip_norm=2.0,
            ),
        )
        saved = tmp_path / "saved.toml"
        saved.write_text(to_toml(experiment), encoding="utf-8")
        assert load(str(saved), []) == experiment


def test_a_whole_number_is_good_where_a_float_is_meant(tmp_path: Path):
    path = tmp_path / "whole.toml"
    text = re.sub(r"^lr = .*", "lr = 1", to_toml(load("iris", [])), flags=re.MULTILINE)
    path.write_text(text, encoding="utf-8")
    lr = load(str(path), []).train.lr
    assert (lr, type(lr)) == (1.0, float)


def test_what_is_not_set_is_shown_as_a_comment():
    shown = to_toml(load("iris", []))
    assert "# clip_norm is not set" in shown
    assert "clip_norm" not in tomllib.loads(shown)["train"]


def test_overrides_change_nested_keys_and_nothing_else():
    plain = load("digits", [])
    words = "--train.lr 0.1 --train.schedule.warm_up=5 --model.layers.1.units 7 --train.clip-norm 1"
    changed = load("digits", words.split())
    first, hidden, *others = plain.model.layers
    layers = (first, dataclasses.replace(hidden, units=7), *others)
    schedule = dataclasses.replace(plain.train.schedule, warm_up=5)
    assert changed == dataclasses.replace(
        plain,
        model=dataclasses.replace(plain.model, layers=layers),
        train=dataclasses.replace(plain.train, lr=0.1, schedule=schedule, clip_norm=1.0),
    )


def test_specs_made_in_python_are_refused_too():
    with pytest.raises(ValueError, match="low must be below high"):
        config.Uniform(low=2, high=1)
    with pytest.raises(ValueError, match="tanh takes no parameter"):
        config.Activation(name="tanh", parameter=1.0)
    with pytest.raises(ValueError, match="nesterov needs momentum"):
        config.SGD(nesterov=True)
