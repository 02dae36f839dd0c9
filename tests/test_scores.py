"""Scores beyond the loss: as scikit-learn has them, and refused where they mean nothing."""

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics as reference

import jaxnn as nn
from experiments.common.failures import ConfigError
from experiments.config import Train
from experiments.config.file import load
from experiments.training.scores import check_metrics, probabilities, score, scores
from experiments.training.task import Part, Task

CROSS: nn.Loss = nn.softmax_cross_entropy
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 60).astype(np.int32)
OUTPUTS = RNG.integers(-3, 4, (60, 7)).astype(np.float32)  # of small integers: many ties
TIES = OUTPUTS + np.linspace(0, 1e-3, 7, dtype=np.float32)[::-1]  # the first of tied ones counts


def of(metric, outputs=OUTPUTS, y: Any = LABELS, loss: nn.Loss = CROSS):
    return score(metric, loss, outputs, y)


def test_scores_of_classes_are_those_of_scikit_learn():
    predicted = OUTPUTS.argmax(1)
    assert of("accuracy") == reference.accuracy_score(LABELS, predicted)
    expected = reference.f1_score(LABELS, predicted, average="macro")
    assert of("f1") == pytest.approx(expected, rel=1e-14)
    for k in (3, 5):
        expected = reference.top_k_accuracy_score(LABELS, TIES, k=k, labels=range(7))
        assert of(f"top_{k}") == expected < 1


def test_auc_is_each_class_there_is_against_the_rest():
    p, e = probabilities(CROSS, OUTPUTS), np.exp(OUTPUTS.astype(float))
    np.testing.assert_allclose(p, e / e.sum(1, keepdims=True), rtol=1e-14)
    areas = [reference.roc_auc_score(k == LABELS, p[:, k]) for k in range(5)]
    assert of("auc") == pytest.approx(np.mean(areas), rel=1e-14)
    assert of("auc", OUTPUTS[:, :5]) == pytest.approx(
        reference.roc_auc_score(LABELS, probabilities(CROSS, OUTPUTS[:, :5]), multi_class="ovr"),
        rel=1e-14,
    )
    assert math.isnan(of("auc", y=np.zeros_like(LABELS)))


def test_perplexity_and_bits_are_those_of_the_log_loss():
    z, y = OUTPUTS[:, :1], (LABELS[:, None] > 2).astype(np.int32)
    one = probabilities(nn.sigmoid_cross_entropy, z)
    for loss, outputs, labels, p in (
        (CROSS, OUTPUTS, LABELS, probabilities(CROSS, OUTPUTS)),
        (nn.sigmoid_cross_entropy, z, y, one),
    ):
        expected = reference.log_loss(labels, p, labels=range(max(p.shape[1], 2)))
        bits = of("bits_per_character", outputs, labels, loss)
        assert bits == pytest.approx(expected / math.log(2), rel=1e-12)
        assert of("perplexity", outputs, labels, loss) == pytest.approx(
            math.exp(expected), rel=1e-12
        )


def test_two_classes_can_share_one_output():
    z, y = OUTPUTS[:, :1], (LABELS[:, None] > 2).astype(np.int32)
    loss = nn.sigmoid_cross_entropy
    assert of("accuracy", z, y, loss) == ((z > 0) == (y > 0)).mean()
    assert of("auc", z, y, loss) == pytest.approx(reference.roc_auc_score(y, z), rel=1e-14)
    expected = reference.f1_score(y, z > 0, average="macro")
    assert of("f1", z, y, loss) == pytest.approx(expected, rel=1e-14)


def test_rows_with_one_1_are_classes():
    rows = np.eye(7, dtype=np.float32)[LABELS]
    for metric in ("accuracy", "top_3", "f1", "auc", "perplexity"):
        assert of(metric, y=rows) == of(metric)


def test_scores_of_numbers_count_each_output_alike():
    y = RNG.normal(size=(60, 3)).astype(np.float32) * np.array([1, 10, 100], np.float32)
    a = y + RNG.normal(size=y.shape).astype(np.float32)
    wide = y.astype(float), a.astype(float)
    expected = reference.r2_score(*wide, multioutput="uniform_average")
    assert of("r2", a, y, nn.half_square) == pytest.approx(expected, rel=1e-12)
    expected = reference.mean_absolute_error(*wide)
    assert of("mae", a, y, nn.half_square) == pytest.approx(expected, rel=1e-12)
    constant = np.full((4, 2), 3.0, np.float32)
    missed = np.array([[3, 3], [3, 3], [3, 3], [3, 4]], np.float32)
    assert of("r2", missed, constant, nn.half_square) == 0.5


@pytest.mark.parametrize("metric", ["accuracy", "top_3", "f1", "auc", "perplexity"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_not_finite_score_nan(metric, bad):
    outputs = OUTPUTS.copy()
    outputs[7, 2] = bad
    assert math.isnan(of(metric, outputs))


def task(y, loss: nn.Loss = CROSS, width=7):
    part = Part(jnp.asarray(OUTPUTS[:, :width]), jnp.asarray(y))
    return Task(nn.serial(nn.linear), loss, None, None, part, part._replace(weights=None))


def test_every_part_has_its_loss_and_the_scores_asked_for():
    found = scores(task(LABELS), ((),), ("train", "test"), ("top_3", "auc"))
    names = ("loss", "accuracy", "top_3", "auc")
    assert list(found) == [f"{part}_{name}" for part in ("train", "test") for name in names]
    values, _ = CROSS(jnp.asarray(OUTPUTS), jnp.asarray(LABELS))
    assert found["train_loss"] == pytest.approx(float(np.mean(values)), rel=1e-6)
    assert found["test_auc"] == of("auc")
    assert found == scores(task(LABELS), ((),), ("train", "test"), ("top_3", "auc"))


def asked(**train):
    iris = load("iris", [])
    return dataclasses.replace(iris, train=dataclasses.replace(iris.train, **train))


NUMBERS = OUTPUTS[:, :2].copy()


@pytest.mark.parametrize(
    ("train", "y", "width", "words"),
    [
        ({"metrics": ("mae",)}, LABELS, 7, "metrics: 'mae' does not fit data with classes"),
        ({"metrics": ("auc",)}, NUMBERS, 2, "metrics: 'auc' does not fit .* numbers to predict"),
        ({"monitor": "r2"}, LABELS, 7, "monitor: 'r2' does not fit .* known .* accuracy, top_3"),
        ({"monitor": "accuracy"}, NUMBERS, 2, "monitor: 'accuracy' does not fit .* r2, mae"),
        ({"metrics": ("top_5",)}, LABELS, 5, "expected more than 5 classes for 'top_5', got 5"),
        ({"metrics": ("top_3",)}, LABELS > 2, 1, "expected more than 3 classes for 'top_3', got 2"),
    ],
)
def test_a_score_that_does_not_fit_the_data_is_refused(train, y, width, words):
    with pytest.raises(ConfigError, match=f"^train.{words}|^train.metrics: {words}"):
        check_metrics(asked(**train), task(np.asarray(y) + 0, width=width))


def test_scores_that_fit_are_taken():
    check_metrics(asked(metrics=("top_3", "top_5", "f1", "auc"), monitor="auc"), task(LABELS))
    check_metrics(
        asked(metrics=("bits_per_character",), monitor="bits_per_character"), task(LABELS)
    )
    check_metrics(asked(metrics=("mae",), monitor="mae"), task(NUMBERS, nn.half_square, 2))


def test_what_is_monitored_has_to_be_recorded():
    with pytest.raises(ValueError, match="monitor: expected loss, accuracy, r2 or one of"):
        Train(epochs=1, batch_size=1, lr=1.0, monitor="f1")
