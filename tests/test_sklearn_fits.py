"""The estimators for scikit-learn: fits that go on, stop early, or are refused."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.exceptions import ConvergenceWarning

from jaxnn.sklearn import MLPClassifier, MLPRegressor
from tests.test_sklearn import CLASSES, SGD, SMALL, VALUES, WEIGHTS, X, assert_same

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_fits_that_go_on_are_one_long_fit():
    settings = {**SMALL, "batch_size": 20}
    whole = MLPClassifier(**settings).fit(X, CLASSES)
    warm = MLPClassifier(**{**settings, "max_iter": 1, "warm_start": True})
    parts = MLPClassifier(**settings)
    for _ in range(4):
        warm.fit(X, CLASSES)
        parts.partial_fit(X, CLASSES, classes=np.unique(CLASSES))
    assert_same(warm, whole)
    assert_same(parts, whole)
    assert warm.n_iter_ == whole.n_iter_ == 4
    assert warm.loss_curve_ == whole.loss_curve_
    restored = pickle.loads(pickle.dumps(warm))
    assert_same(restored.fit(X, CLASSES), warm.fit(X, CLASSES))


def test_a_warm_start_refuses_another_network_and_lets_the_solver_change():
    model = MLPRegressor(**SMALL, warm_start=True).fit(X, VALUES)
    before = model.loss_
    model.set_params(solver="sgd", max_iter=20).fit(X, VALUES)
    assert model.loss_ < before
    with pytest.raises(ValueError, match=r"expected the network that is in training.*Dense\(9\)"):
        model.set_params(hidden_layer_sizes=(9,)).fit(X, VALUES)
    with pytest.raises(ValueError, match="expected y with 2 outputs"):
        model.set_params(hidden_layer_sizes=(7,)).fit(X, VALUES[:, 0])


@pytest.mark.parametrize("given", [True, False], ids=["given", "held out"])
def test_early_stopping_keeps_the_parameters_of_the_best_epoch(given):
    rate = {"learning_rate_init": 0.3, "max_iter": 40, "n_iter_no_change": 5}
    model = MLPClassifier(**{**SMALL, **rate}, early_stopping=True, validation_fraction=0.5)
    held = {"X_val": X[:30], "y_val": CLASSES[:30]} if given else {}
    model.fit(X[30:], CLASSES[30:], **held)
    assert model.stopped_
    assert model.n_iter_ == len(model.validation_scores_) < 40
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[-1] < model.best_validation_score_
    if given:
        assert model.score(X[:30], CLASSES[:30]) == model.best_validation_score_


def test_early_stopping_may_begin_in_a_later_fit():
    settings = {**SMALL, "learning_rate_init": 0.1, "max_iter": 30, "n_iter_no_change": 40}
    model: Any = MLPClassifier(**settings, warm_start=True).fit(X, CLASSES)
    assert not model.validation_scores_
    assert model.best_loss_ == min(model.loss_curve_)
    model.set_params(early_stopping=True).fit(X, CLASSES, X_val=X[:30], y_val=CLASSES[:30])
    assert not model.best_loss_
    assert len(model.validation_scores_) == 30
    assert model.score(X[:30], CLASSES[:30]) == model.best_validation_score_


def test_a_score_is_no_bar_for_the_objective():
    """Minus the objective is below every accuracy, and is getting better all the same."""
    settings = {**SMALL, "learning_rate_init": 0.01, "n_iter_no_change": 2, "warm_start": True}
    model: Any = MLPClassifier(**settings, early_stopping=True)
    model.fit(X, CLASSES, X_val=X[:30], y_val=CLASSES[:30])
    assert model.best_validation_score_ > 0 > -model.loss_
    model.set_params(early_stopping=False, max_iter=20).fit(X, CLASSES)
    assert (np.diff(model.loss_curve_) < -model.tol).all()
    assert not model.stopped_
    assert model.n_iter_ == 24


def test_an_objective_is_no_bar_for_scores():
    """R2 may be far below minus the objective, and the best epoch is one of those scored."""
    model: Any = MLPRegressor(**SMALL, learning_rate_init=0.1, n_iter_no_change=50, warm_start=True)
    model.set_params(max_iter=30).fit(X, VALUES)
    held = {"X_val": X[:30], "y_val": -3 * VALUES[:30]}
    model.set_params(early_stopping=True, max_iter=4).fit(X, VALUES, **held)
    assert max(model.validation_scores_) < -model.loss_
    score = model.score(held["X_val"], held["y_val"])
    assert score == model.best_validation_score_ == max(model.validation_scores_)


def test_scores_from_before_a_pause_of_early_stopping_are_no_bar():
    """The parameters and the best score are those since scoring began again."""
    model: Any = MLPRegressor(**SMALL, early_stopping=True, warm_start=True)
    held = {"X_val": X[:30], "y_val": VALUES[:30]}
    model.set_params(max_iter=20, learning_rate_init=0.1).fit(X, VALUES, **held)
    first = model.best_validation_score_
    model.set_params(early_stopping=False).fit(X, -VALUES)
    model.set_params(early_stopping=True, max_iter=1).fit(X, VALUES, **held)
    assert model.score(held["X_val"], held["y_val"]) == model.best_validation_score_ < first
    assert model.best_validation_score_ == model.validation_scores_[-1]


def test_partial_fit_stops_early_on_validation_data_that_are_given():
    model = MLPRegressor(**SMALL, early_stopping=True, learning_rate_init=0.3, n_iter_no_change=3)
    for _ in range(100):
        model.partial_fit(X[:30], VALUES[:30], X_val=X[30:], y_val=VALUES[30:])
        if model.stopped_:
            break
    assert 5 <= model.n_iter_ < 99
    best = max(model.validation_scores_)
    assert model.validation_scores_[-1] < best
    np.testing.assert_allclose(model.score(X[30:], VALUES[30:]), best, rtol=1e-12)
    with pytest.raises(ValueError, match="expected X_val and y_val in partial_fit"):
        model.partial_fit(X, VALUES)


def test_rates_that_fall():
    settings = {**SMALL, **SGD, "momentum": 0.0, "max_iter": 40}
    falling = {**settings, "learning_rate": "invscaling"}
    a, b = (m(**falling).fit(X, CLASSES) for m in (MLPClassifier, theirs.MLPClassifier))
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)
    cut = {**settings, "learning_rate": "adaptive", "learning_rate_init": 5.0, "tol": 1e-2}
    cut |= {"n_iter_no_change": 1, "max_iter": 200}
    a, b = (m(**cut).fit(X, CLASSES) for m in (MLPClassifier, theirs.MLPClassifier))
    assert a.n_iter_ == b.n_iter_ < 200
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_layer_sizes": (7, 0)}, "hidden_layer_sizes to be a whole number > 0"),
        ({"activation": "step"}, "activation to be one of .*'relu'"),
        ({"activation": ("relu",), "hidden_layer_sizes": (7, 7)}, "for each of 2 hidden layers"),
        ({"solver": "newton"}, "solver to be one of"),
        ({"solver": "lbfgs", "dropout": 0.5}, "'adam' or 'sgd' with early_stopping, dropout"),
        ({"alpha": -1.0}, r"finite alpha in \[0, inf\], got -1.0"),
        ({"dropout": 1.0}, "finite dropout"),
        ({"batch_size": 0}, "batch_size to be 'auto' or"),
        ({"n_iter_no_change": 0}, "n_iter_no_change to be a whole number >= 1 or infinity"),
        ({"max_iter": 2.5}, "max_iter to be a whole number >= 1, got 2.5"),
        ({"early_stopping": True, "validation_fraction": 0.01}, "2 or more examples held out"),
        ({"learning_rate_init": 1e200, "solver": "sgd"}, "expected a finite loss, got .* in epoch"),
    ],
    ids=lambda v: v if isinstance(v, str) else ",".join(v),
)
def test_hyperparameters_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**{**SMALL, **settings}).fit(X, VALUES)


def test_examples_are_refused():
    model = MLPClassifier(**SMALL)
    with pytest.raises(ValueError, match="got 1 class"):
        model.fit(X, np.zeros(60, int))
    with pytest.raises(ValueError, match="expected sample weights >= 0"):
        model.fit(X, CLASSES, -WEIGHTS)
    with pytest.raises(ValueError, match="expected classes in the first partial_fit"):
        model.partial_fit(X, CLASSES)
    with pytest.raises(ValueError, match="expected early_stopping=True with X_val"):
        model.fit(X, CLASSES, X_val=X, y_val=CLASSES)
    with pytest.raises(ValueError, match="several classes each"):
        model.fit(X, np.stack([CLASSES == "ash", np.arange(60) % 3], 1).astype(int))
    model.fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"of the classes .* with \['fir'\] besides"):
        model.partial_fit(X, np.where(CLASSES == "ash", "fir", CLASSES))
    with pytest.raises(ValueError, match=r"expected classes=.*, as in the first call"):
        model.partial_fit(X, CLASSES, classes=["ash", "elm"])


def test_a_fit_that_is_not_finished_warns():
    with pytest.warns(ConvergenceWarning, match="max_iter=4 reached"):
        MLPRegressor(**SMALL).fit(X, VALUES)
