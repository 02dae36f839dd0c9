"""The keys of [train] beyond a plain loop: what each does to a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import experiments
import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Data, Dense, Experiment, Model, Train
from experiments.config.file import load
from experiments.data import DataError, read
from experiments.training.run import Diverged, resume, run

ROOT = Path(__file__).parent.parent


def train(folder: Path, *overrides: str, name: str = "iris") -> list[dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    run(load(name, overrides), folder)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_early_stopping_ends_the_run_and_keeps_the_best_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["--data.validation_fraction", "0.3", "--train.patience", "3", "--train.lr", "0.3"]
    lines = train(tmp_path, *words, "--train.epochs", "60", name="wine")
    losses = [line["validation_loss"] for line in lines]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 60
    said = capsys.readouterr().out
    assert f"stopped after epoch {len(losses)}; kept epoch {best + 1}, the best" in said
    from experiments.training.stored import open_run

    stored = open_run(tmp_path)
    assert stored.finished
    kept, best_so_far = stored.network()[1], stored.network(best=True)[1]
    for a, b in zip(kept, best_so_far, strict=True):
        np.testing.assert_array_equal(a[0] if a else 0, b[0] if b else 0)


def test_a_plateau_slows_training_down(tmp_path: Path):
    path = tmp_path / "plateau.toml"
    iris = (ROOT / "experiments/configs/iris.toml").read_text()
    schedule = '[train.schedule]\nkind = "plateau"\npatience = 1\nfactor = 1e-6\n'
    path.write_text(f"{iris}\n{schedule}")
    found = train(tmp_path, "--train.epochs", "8", "--train.lr", "3.0", name=str(path))
    losses = [line["train_loss"] for line in found]
    worse = next(i for i in range(1, 7) if losses[i] >= min(losses[:i]))
    # the weights all but stand still from there on
    assert losses[worse + 1] == pytest.approx(losses[worse], rel=1e-3)


def test_weights_of_classes_move_the_decision(tmp_path: Path):
    words = ["--train.epochs", "5"]
    plain = train(tmp_path / "a", *words)
    balanced = train(tmp_path / "b", *words, "--train.balanced")
    # iris has as many of each class: balanced is no different
    assert balanced[-1]["train_loss"] == pytest.approx(plain[-1]["train_loss"], rel=1e-5)
    one = train(tmp_path / "c", *words, "--train.class_weights", "1", "0", "0")
    assert one[-1]["train_accuracy"] < 0.5  # every flower is taken for the only class that counts


def test_weights_that_do_not_fit_the_classes_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"class_weights: expected 3 numbers.*setosa.* got 2"):
        train(tmp_path, "--train.class_weights", "1", "2")
    with pytest.raises(ConfigError, match=r"train.balanced: diabetes has numbers to predict"):
        train(tmp_path, "--train.balanced", name="diabetes")


def test_micro_batches_change_nothing_but_rounding(tmp_path: Path):
    words = ["--train.epochs", "3"]
    whole = train(tmp_path / "a", *words)
    parts = train(tmp_path / "b", *words, "--train.micro_batches", "4")
    assert parts[-1]["train_loss"] == pytest.approx(whole[-1]["train_loss"], rel=1e-4)
    path = tmp_path / "five.toml"
    path.write_text((tmp_path / "b" / "config.toml").read_text().replace("es = 4", "es = 5"))
    with pytest.raises(ConfigError, match=r"train: micro_batches: .* divides batch_size 16"):
        load(str(path), [])


def test_half_precision_learns_and_an_average_is_what_is_tested(tmp_path: Path):
    half = train(tmp_path / "a", "--train.precision", "bfloat16")
    assert half[-1]["test_accuracy"] > 0.8
    scaled = train(tmp_path / "d", "--train.precision", "float16", "--train.average", "0.5")
    assert scaled[-1]["test_accuracy"] > 0.8
    assert scaled[-1]["loss_scale"] == 2.0 ** (15 - scaled[-1]["skipped"])
    plain = train(tmp_path / "b", "--train.epochs", "3")
    mean = train(tmp_path / "c", "--train.epochs", "3", "--train.average", "0.9")
    assert mean[0]["objective"] == plain[0]["objective"]
    assert mean[-1]["train_loss"] != plain[-1]["train_loss"]


def test_an_experiment_in_python_is_checked_and_trained(tmp_path: Path):
    layers = (Dense(units=8, activation="tanh"), Dense(units=3))
    settings = Train(epochs=2, batch_size=16, lr=0.1)
    made = Experiment(
        name="mine", data=Data(name="iris"), model=Model(layers=layers), train=settings
    )
    stored = experiments.run(made, tmp_path)
    assert stored.folder == tmp_path / "0001-mine"
    assert [line["epoch"] for line in stored.metrics] == [1, 2]
    wrong = Experiment(
        name="mine",
        data=made.data,
        model=made.model,
        train=Train(epochs=0, batch_size=16, lr=-1.0),
    )
    with pytest.raises(ConfigError, match=r"train\.epochs.*at least 1.*\n.*train\.lr.*greater"):
        experiments.run(wrong, tmp_path)


def test_tensorboard_events_are_written_and_not_doubled_on_resuming(tmp_path: Path):
    train(tmp_path, "--train.epochs", "2", "--train.tensorboard", "--train.watch", "units")
    (first,) = (tmp_path / "events").iterdir()
    assert b"accuracy/test" in first.read_bytes() or b"test_accuracy" in first.read_bytes()
    resume(tmp_path)
    assert len(list((tmp_path / "events").iterdir())) == 2


def test_a_training_that_overflows_stops_and_says_where(tmp_path: Path):
    with pytest.raises(Diverged, match=r"epoch 1: iteration \d+, forward: layer .*\n.*lower train"):
        train(tmp_path, "--train.lr", "1e30")
    assert not (tmp_path / "parameters.safetensors").exists()


def test_examples_count_by_their_weights(tmp_path: Path):
    rows = ["a,kind,weight", *(f"{i},{'low' if i < 20 else 'high'},1" for i in range(40))]
    rows += [f"{i},high,0" for i in range(20)]  # wrong, and of no weight
    path = tmp_path / "own.csv"
    path.write_text("\n".join(rows))
    data = Data(path=str(path), target="kind", weights="weight", test_fraction=0.1)
    layers = Model(layers=(Dense(units=2),))
    settings = Train(epochs=60, batch_size=8, lr=0.5)
    made = Experiment(name="own", data=data, model=layers, train=settings)
    stored = experiments.run(made, tmp_path)
    net, params = stored.network()
    scaling = stored.description["scaling"]
    assert scaling
    x = (np.array([[5.0], [35.0]]) - scaling["mean"]) / scaling["std"]
    outputs = nn.predict(net, params, x.astype(np.float32))
    classes = [stored.description["classes"][i] for i in np.argmax(outputs, axis=-1)]
    assert classes == ["low", "high"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([1.0, -1.0, 1.0, 1.0]), "not negative and not all 0, got -1"),
        (np.zeros(4), "not all 0, got 0"),
        (np.ones(3), r"expected a number \(4,\), got float64 \(3,\)"),
        (np.array([1.0, np.nan, 1.0, 1.0]), "finite, not negative and not all 0, got nan"),
    ],
)
def test_weights_that_are_none_are_refused(weights: np.ndarray, message: str, tmp_path: Path):
    path = tmp_path / "own.npz"
    np.savez(path, x=np.ones((4, 2)), y=np.array([0, 1, 0, 1]), weights=weights)
    with pytest.raises(DataError, match=message):
        read(Data(path=str(path)), 0)
