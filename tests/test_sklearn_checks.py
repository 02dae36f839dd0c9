"""scikit-learn's own checks of an estimator, over both of ours."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from jaxnn.sklearn import MLPClassifier, MLPRegressor

# Compiling costs more than the checks: one mini-batch, however many examples there are, makes for
# few programs. The slow ones are all checks, with the defaults and with the other solvers.
QUICK: dict[str, Any] = {
    "hidden_layer_sizes": (16,),
    "batch_size": 1000,
    "learning_rate_init": 0.02,
    "max_iter": 30,
}
ignoring = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",  # 30 epochs are few
    "ignore::sklearn.exceptions.SkipTestWarning",  # array API, which we do not have
    "ignore:.*max_iter",
)


@ignoring
@parametrize_with_checks([MLPClassifier(**QUICK), MLPRegressor(**QUICK)])
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


@pytest.mark.slow
@ignoring
@parametrize_with_checks(
    [
        MLPClassifier(),
        MLPRegressor(),
        MLPClassifier(solver="sgd", learning_rate_init=0.05, max_iter=50),
        MLPRegressor(solver="lbfgs"),
    ]
)
def test_scikit_learn_finds_nothing_wrong_with_the_defaults(estimator, check):
    check(estimator)
