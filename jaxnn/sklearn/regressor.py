"""The regressor."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

import jaxnn as nn
from jaxnn.core.types import ArrayLike, Dtype
from jaxnn.sklearn.estimator import Estimator
from jaxnn.sklearn.examples import Examples


class MLPRegressor(RegressorMixin, Estimator):
    """A multi-layer perceptron for numbers, one or several for each example.

        C = sum_n c_n 1/2 sum_k (a_nk - y_nk)^2 + alpha / (2 W) sum w^2

    with c the weights of a mini-batch divided by their sum, W that sum (on average over the
    mini-batches), a the outputs, w the weights of the network without biases. The loss is summed
    over the outputs k, and so is its gradient; scikit-learn has the mean in the loss and the sum in
    the gradient. y is (n,) or (n, n_outputs), and so is what `predict` returns.
    Hyperparameters: `jaxnn.sklearn.hyperparameters`. Source: Rumelhart, Hinton and Williams 1986.
    """

    _numeric = True

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The outputs, (n,) or (n, n_outputs)."""
        found = self._outputs(X)
        return found[:, 0] if self.n_outputs_ == 1 else found

    def _loss(self) -> nn.Loss:
        return nn.half_square

    def _learn(self, y: np.ndarray) -> None:
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self.out_activation_ = "identity"

    def _targets(self, y: np.ndarray, dtype: Dtype) -> np.ndarray:
        targets = y.astype(dtype).reshape(len(y), -1)
        if targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"MLPRegressor: expected y with {self.n_outputs_} outputs, as in the first fit, "
                f"got {targets.shape[1]}"
            )
        return targets

    def _validation_score(self, found: np.ndarray, held: Examples) -> float:
        return float(r2_score(held.targets, found, sample_weight=held.weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
