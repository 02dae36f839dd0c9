"""The estimators for scikit-learn: what they compute, and what they leave behind."""

import pathlib
import pickle
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network as theirs
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jaxnn
from jaxnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
CLASSES = np.array(["ash", "elm", "oak"])[np.argmax(X[:, :3] + 0.1 * X[:, 3:4] ** 2, axis=1)]
VALUES = X @ rng.normal(size=(5, 2)) + 0.1 * rng.normal(size=(60, 2))
LABELS = (VALUES > 0).astype(int)
WEIGHTS = rng.uniform(0.5, 2.0, size=60)
SMALL = {"hidden_layer_sizes": (7,), "random_state": 3, "max_iter": 4}


def maps(model):
    return [*model.coefs_, *model.intercepts_]


def assert_same(a, b):
    for ours, other in zip(maps(a), maps(b), strict=True):
        np.testing.assert_array_equal(ours, other)


SGD = {"solver": "sgd", "learning_rate_init": 0.1, "shuffle": False, "batch_size": 20}


@pytest.mark.parametrize(
    ("name", "momentum"), [("MLPClassifier", 0.9), ("MLPRegressor", 0.9), ("MLPRegressor", 1.0)]
)
def test_equal_settings_give_what_scikit_learn_computes(name, momentum):
    y, ours = (CLASSES, MLPClassifier) if name == "MLPClassifier" else (VALUES, MLPRegressor)
    settings = {**SMALL, **SGD, "momentum": momentum}
    a = ours(**settings, alpha=0.3).fit(X, y)
    b = getattr(theirs, name)(**settings, alpha=0.3).fit(X, y)
    for mine, other in zip(maps(a), maps(b), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-12)
    answer = "predict_proba" if y is CLASSES else "predict"
    np.testing.assert_allclose(getattr(a, answer)(X), getattr(b, answer)(X), rtol=1e-9)
    for attribute in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(a, attribute) == getattr(b, attribute)
    if y is CLASSES:  # for several numbers their loss is not what their gradient belongs to
        np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)


@pytest.mark.usefixtures("x64")
def test_the_gradient_for_several_outputs_is_that_of_the_loss():
    step = {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "batch_size": 60}
    model = MLPRegressor(**{**SMALL, **step, "activation": "tanh"}, learning_rate_init=0.5, alpha=2)
    before = maps(model.partial_fit(X, VALUES, WEIGHTS))
    after = maps(model.partial_fit(X, VALUES, WEIGHTS))

    def objective(parameters):
        w0, w1, b0, b1 = parameters
        a = jnp.tanh(X @ w0 + b0) @ w1 + b1
        each = 0.5 * ((a - VALUES) ** 2).sum(1)
        penalty = model.alpha / 2 * ((w0**2).sum() + (w1**2).sum())
        return (WEIGHTS @ each + penalty) / WEIGHTS.sum()

    value, expected = jax.value_and_grad(objective)([jnp.asarray(p) for p in before])
    np.testing.assert_allclose(model.loss_, value, rtol=1e-12)
    for old, new, gradient in zip(before, after, expected, strict=True):
        np.testing.assert_allclose((old - new) / 0.5, gradient, rtol=1e-9, atol=1e-12)


def test_lbfgs_finds_the_minimum_that_scikit_learn_finds():
    settings = {**SMALL, "solver": "lbfgs", "max_iter": 400, "alpha": 3.0, "tol": 1e-6}
    a = MLPClassifier(**settings).fit(X, CLASSES)
    b = theirs.MLPClassifier(**settings).fit(X, CLASSES)
    np.testing.assert_allclose(a.loss_, b.loss_, rtol=1e-6)
    assert a.stopped_
    assert not hasattr(a, "partial_fit")


def test_class_weights_are_sample_weights():
    share = {"ash": 3.0, "elm": 0.5, "oak": 1.0}
    by_class = MLPClassifier(**SMALL, class_weight=share).fit(X, CLASSES, WEIGHTS)
    each = np.array([share[y] for y in CLASSES])
    assert_same(by_class, MLPClassifier(**SMALL).fit(X, CLASSES, WEIGHTS * each))
    names, counts = np.unique(CLASSES, return_counts=True)
    equal = dict(zip(names, 60 / (3 * counts), strict=True))
    balanced = MLPClassifier(**SMALL, class_weight="balanced").fit(X, CLASSES)
    assert_same(balanced, MLPClassifier(**SMALL, class_weight=equal).fit(X, CLASSES))


def by_numpy(model, x, activations):
    """What the maps of the model make of x."""
    for w, b, activation in zip(model.coefs_, model.intercepts_, activations, strict=True):
        x = activation(x @ w + b)
    return x


def test_each_layer_may_have_its_own_activation():
    model = MLPRegressor(
        hidden_layer_sizes=(7, 6), activation=("tanh", "relu"), random_state=0, max_iter=3
    ).fit(X, VALUES)
    functions = (np.tanh, lambda z: np.maximum(z, 0), lambda z: z)
    np.testing.assert_allclose(model.predict(X), by_numpy(model, X, functions), rtol=1e-9)


def test_batch_norm_and_dropout_are_gone_from_what_is_left():
    # 61 examples in mini-batches of 20: the last one would be alone
    x, y = np.concatenate([X, X[:1]]), np.concatenate([VALUES, VALUES[:1]])
    model = MLPRegressor(
        hidden_layer_sizes=(30,),
        batch_norm=True,
        dropout=0.1,
        batch_size=20,
        learning_rate_init=0.05,
        max_iter=60,
        random_state=0,
        warm_start=True,
    ).fit(x, y)
    assert [w.shape for w in model.coefs_] == [(5, 30), (30, 2)]
    functions = (lambda z: np.maximum(z, 0), lambda z: z)
    np.testing.assert_allclose(model.predict(X), by_numpy(model, X, functions), rtol=1e-9)
    assert model.score(X, VALUES) > 0.9
    model.fit(x, y)
    assert model.score(X, VALUES) > 0.9


def test_labels_that_do_not_exclude_each_other():
    model = MLPClassifier(**{**SMALL, "max_iter": 200}, learning_rate_init=0.02)
    for y in (LABELS, sparse.csr_matrix(LABELS)):
        model.fit(sparse.csr_array(X), y)
        assert model.predict(X).shape == model.predict_proba(X).shape == (60, 2)
        assert model.score(X, LABELS) > 0.8
    assert model.classes_.tolist() == [0, 1]
    with pytest.raises(ValueError, match="expected class_weight=None for labels"):
        model.set_params(class_weight="balanced").fit(X, LABELS)


def test_log_probabilities_stay_finite_where_probabilities_underflow():
    for y in (CLASSES, CLASSES == "ash"):
        model = MLPClassifier(**SMALL).fit(X, y)
        logs = model.predict_log_proba(1e4 * X)
        assert np.isfinite(logs).all()
        assert logs.min() < -800
        np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_what_is_left_is_of_numpy_and_in_the_dtype_of_x():
    for dtype in (np.float32, np.float64):
        model = MLPClassifier(**SMALL).fit(X.astype(dtype), CLASSES)
        assert {(type(a), a.dtype) for a in maps(model)} == {(np.ndarray, np.dtype(dtype))}
        leaves = jax.tree.leaves((vars(model), vars(vars(model)["_training"])))
        assert not any(isinstance(leaf, jax.Array) for leaf in leaves)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))


def test_a_seed_decides_everything_and_a_clone_starts_afresh():
    model: Any = MLPClassifier(**SMALL, dropout=0.3, batch_size=20).fit(X, CLASSES)
    again: Any = clone(model)
    assert_same(again.fit(X, CLASSES), model)
    other = again.set_params(random_state=4).fit(X, CLASSES)
    assert not np.allclose(other.coefs_[0], model.coefs_[0])


def test_a_grid_search_over_a_pipeline():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLPClassifier(**{**SMALL, "max_iter": 40})),
        {"mlpclassifier__learning_rate_init": np.array([1e-6, 0.05])},
        cv=2,
        error_score="raise",  # pyright: ignore[reportArgumentType]
    ).fit(X, CLASSES)
    assert search.best_params_["mlpclassifier__learning_rate_init"] == 0.05
    assert search.best_score_ > 0.6


def test_nothing_else_in_the_library_imports_scikit_learn():
    root = pathlib.Path(jaxnn.__file__).parent
    importing = {
        path.relative_to(root).parts[0]
        for path in root.glob("**/*.py")
        if re.search(r"^\s*(from|import) (sklearn|scipy|jaxnn\.sklearn)", path.read_text(), re.M)
    }
    assert importing == {"sklearn"}
