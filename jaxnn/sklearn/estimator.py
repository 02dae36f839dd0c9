"""What the classifier and the regressor share: how they are fitted, and what that leaves behind."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

import jaxnn as nn
from jaxnn.core.types import ArrayLike, Dtype
from jaxnn.sklearn.examples import Examples, check_weights, held_out
from jaxnn.sklearn.hyperparameters import Hyperparameters
from jaxnn.sklearn.lbfgs import run_lbfgs
from jaxnn.sklearn.network import computing, outputs
from jaxnn.sklearn.training import Training, begin, model_network, run_epochs, unmoved

Learn = Callable[[np.ndarray], None]
FLOATS = (np.float64, np.float32)  # other numbers become the first


class Given(NamedTuple):
    """Examples as the user gives them."""

    X: Any
    y: Any
    weights: Any


def in_epochs(model: Hyperparameters) -> bool:
    """Raises AttributeError, so that there is no `partial_fit`, for a solver without epochs."""
    if model.solver == "lbfgs":
        raise AttributeError("expected solver 'adam' or 'sgd' for partial_fit, got 'lbfgs'")
    return True


class Estimator(Hyperparameters, BaseEstimator):
    """Base of both. A subclass says what its loss, its targets and its validation score are.

    A fit leaves coefs_ and intercepts_ (numpy, in the dtype of X), n_layers_, n_outputs_,
    out_activation_, loss_, loss_curve_, best_loss_, validation_scores_, best_validation_score_,
    n_iter_ (epochs since the parameters were drawn), t_ (examples seen in them), stopped_ (whether
    the last fit ended because nothing improved), n_features_in_ and feature_names_in_.
    """

    _numeric = False
    n_outputs_: int
    validation_scores_: Any
    best_validation_score_: Any

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train for `max_iter` epochs, or until nothing improves for `n_iter_no_change` of them.

        Early stopping looks at X_val and y_val, else at `validation_fraction` of X, and keeps the
        best parameters. With `warm_start` training goes on where it stood, with its optimizer and
        its random numbers. Raises ValueError for bad input; warns with ConvergenceWarning where
        all epochs were used up.
        """
        learn = None if self.warm_start and hasattr(self, "_training") else self._learn
        validation = Given(X_val, y_val, sample_weight_val)
        self._fit(Given(X, y, sample_weight), validation, learn, self.max_iter)
        if not self.stopped_:
            warnings.warn(
                f"{type(self).__name__}: max_iter={self.max_iter} reached while the training was "
                "still improving; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    @available_if(in_epochs)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """One epoch over these examples, from where the training stands.

        Early stopping needs X_val and y_val here: a part held out of X would be trained on when
        its rows come again. The parameters are those of the best call so far, and `stopped_` says
        that nothing has improved for `n_iter_no_change` calls. Raises ValueError for bad input.
        """
        validation = Given(X_val, y_val, sample_weight_val)
        return self._partial_fit(Given(X, y, sample_weight), validation, self._learn)

    def _partial_fit(self, given: Given, validation: Given, learn: Learn) -> Self:
        if self.early_stopping and validation.X is None:
            raise ValueError(
                f"{type(self).__name__}: expected X_val and y_val in partial_fit with "
                "early_stopping, got none; give the same ones to each call"
            )
        return self._fit(given, validation, None if hasattr(self, "_training") else learn, 1)

    def _fit(self, given: Given, validation: Given, learn: Learn | None, epochs: int) -> Self:
        self.check_hyperparameters()
        dtype = FLOATS if learn else self.coefs_[0].dtype
        train = self._examples(given, learn, dtype)
        strata, train = self._strata(train.targets), self._weighted(train)
        training = self._begin(train) if learn else self._training
        self._check_network(training)
        train, held = self._for_validation(train, strata, validation, training)
        if self.solver == "lbfgs":
            run_lbfgs(self, training, train)
        else:
            run_epochs(self, training, train, held and self._score_on(held), epochs)
        self._training = training
        self._report(training)
        return self

    def _examples(self, given: Given, learn: Learn | None, dtype: Dtype = FLOATS) -> Examples:
        """Examples as numpy, once they are known to be right; `learn` looks at the first y."""
        X, y = validate_data(
            self,
            given.X,
            given.y,
            accept_sparse=("csr", "csc"),
            multi_output=True,
            y_numeric=self._numeric,
            dtype=dtype,
            reset=learn is not None,
        )
        X, y, weights = _dense(X), _dense(y), given.weights
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if weights is not None:
            weights = _check_sample_weight(weights, X, dtype=X.dtype)
            check_weights(weights)
        if learn:
            learn(y)
        return Examples(X, self._targets(y, X.dtype), weights)

    def _for_validation(
        self, train: Examples, strata: Any, given: Given, training: Training
    ) -> Any:
        """(for training, for validation or None)."""
        name = type(self).__name__
        if (given.X is None) != (given.y is None):
            raise ValueError(f"{name}: expected both of X_val and y_val or none, got one")
        if not self.early_stopping:
            if given.X is not None:
                raise ValueError(f"{name}: expected early_stopping=True with X_val, got False")
            return train, None
        if given.X is not None:
            return train, self._examples(given, None)
        seed = training.seed_of_split()
        return held_out(train, float(self.validation_fraction), seed, strata)

    def _score_on(self, held: Examples) -> Callable[[Any], float]:
        def score(maps: Any) -> float:
            coefs, intercepts = maps
            return self._validation_score(
                outputs(coefs, intercepts, self.activations(), held.x), held
            )

        return score

    def _begin(self, train: Examples) -> Training:
        with computing(train.x.dtype):
            return begin(self, self._loss(), train, self.n_outputs_)

    def _check_network(self, training: Training) -> None:
        """Refuse another network than that in training; another solver starts at rest."""
        net = model_network(self, self.n_outputs_)
        if net != training.net:
            raise ValueError(
                f"{type(self).__name__}: expected the network that is in training, "
                f"{training.net}, got {net}; set warm_start=False and fit to begin anew"
            )
        if training.solver != self.solver:
            training.solver = str(self.solver)
            with computing(self.coefs_[0].dtype):
                kept = unmoved(self, training.state.params)
            training.state = training.state._replace(optimizer=kept)

    def _report(self, training: Training) -> None:
        self.coefs_, self.intercepts_ = training.maps
        self.n_layers_ = len(self.coefs_) + 1
        self.loss_, self.loss_curve_ = training.losses[-1], training.losses
        self.validation_scores_ = training.scores if self.early_stopping else None
        self.best_validation_score_ = training.best if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else min(training.losses)
        self.n_iter_, self.t_, self.stopped_ = training.epochs, training.seen, training.stopped

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        """What the last layer puts out for new inputs, before any softmax or sigmoid."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=FLOATS, reset=False)
        return outputs(self.coefs_, self.intercepts_, self.activations(), _dense(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _loss(self) -> nn.Loss:
        raise NotImplementedError

    def _learn(self, y: np.ndarray) -> None:
        """Set n_outputs_, out_activation_ and what else the first targets tell."""
        raise NotImplementedError

    def _targets(self, y: np.ndarray, dtype: Dtype) -> np.ndarray:
        """y as the loss takes it."""
        raise NotImplementedError

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        """The groups to hold equal parts out of."""

    def _weighted(self, train: Examples) -> Examples:
        """The examples with the weights they are trained with."""
        return train

    def _validation_score(self, found: np.ndarray, held: Examples) -> float:
        raise NotImplementedError


def _dense(a: Any) -> Any:
    """A sparse matrix as an ordinary array."""
    return a.toarray() if sparse.issparse(a) else a
