"""The classifier."""

import dataclasses
from functools import partial
from typing import Any, Self

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

import jaxnn as nn
from jaxnn.core.types import ArrayLike, Dtype
from jaxnn.sklearn.estimator import Estimator, Given, in_epochs
from jaxnn.sklearn.examples import Examples


@dataclasses.dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, Estimator):
    """A multi-layer perceptron for classes, or for labels that do not exclude each other.

        C = sum_n c_n l_n + alpha / (2 W) sum w^2

    with l the cross-entropy (softmax for more than two classes, sigmoid for two or for labels), c
    the weights of a mini-batch divided by their sum, W that sum (on average over the mini-batches),
    w the weights of the network without biases. An example counts with its `sample_weight` times
    the weight of its class: `class_weight` is a dict, or "balanced", which makes all classes count
    alike. y holds classes (n,), or zeros and ones (n, labels).
    Hyperparameters: `jaxnn.sklearn.hyperparameters`. Source: Bridle 1990.
    """

    class_weight: Any = None

    @available_if(in_epochs)
    def partial_fit(  # pyright: ignore[reportIncompatibleMethodOverride] - as scikit-learn has it
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """As that of the base class. The first call needs all `classes` there will be, unless y
        holds labels; "balanced" class weights, which need all the data, are refused."""
        if self.class_weight == "balanced":
            raise ValueError(
                "MLPClassifier: expected class_weight as a dict in partial_fit, got 'balanced', "
                "which needs all the data; take sklearn.utils.class_weight.compute_class_weight"
            )
        known = getattr(self, "classes_", classes)
        if classes is not None and not np.array_equal(np.unique(classes), np.unique(known)):
            raise ValueError(
                f"MLPClassifier: expected classes={known}, as in the first call, got {classes}"
            )
        learn = partial(self._learn, classes=classes, incremental=True)
        validation = Given(X_val, y_val, sample_weight_val)
        return self._partial_fit(Given(X, y, sample_weight), validation, learn)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The likeliest class, (n,); for labels those likelier than not, (n, labels)."""
        found = self._decided(self._outputs(X))
        return found if self._labels() else self.classes_[found[:, 0]]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """The probability of each class, (n, classes), in the order of `classes_`."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            return softmax(z, axis=1)
        return np.hstack([expit(-z), expit(z)]) if self.n_outputs_ == 1 else expit(z)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """The logarithm of `predict_proba`, finite where that underflows."""
        z = self._outputs(X)
        if self.out_activation_ == "softmax":
            return log_softmax(z, axis=1)
        return np.hstack([log_expit(-z), log_expit(z)]) if self.n_outputs_ == 1 else log_expit(z)

    def _loss(self) -> nn.Loss:
        several = self.out_activation_ == "softmax"
        return nn.softmax_cross_entropy if several else nn.sigmoid_cross_entropy

    def _labels(self) -> bool:
        """Whether y holds labels that do not exclude each other."""
        return self.out_activation_ == "logistic" and self.n_outputs_ > 1

    def _learn(self, y: np.ndarray, classes: Any = None, incremental: bool = False) -> None:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "MLPClassifier: expected y (n,) of classes or (n, labels) of zeros and ones, got "
                f"{y.shape} of several classes each; fit one classifier for each column"
            )
        if kind == "multilabel-indicator":
            self.classes_ = np.arange(y.shape[1])
            self.n_outputs_, self.out_activation_ = y.shape[1], "logistic"
            return
        if incremental and classes is None:
            raise ValueError("MLPClassifier: expected classes in the first partial_fit, got None")
        self.classes_ = np.unique(y if classes is None else classes)
        n = len(self.classes_)
        if n < 2:
            raise ValueError(
                f"MLPClassifier: expected 2 or more classes in y, got 1 class, {self.classes_}"
            )
        self.n_outputs_, self.out_activation_ = (1, "logistic") if n == 2 else (n, "softmax")

    def _targets(self, y: np.ndarray, dtype: Dtype) -> np.ndarray:
        if self._labels():
            if y.ndim != 2 or y.shape[1] != self.n_outputs_:
                raise ValueError(
                    f"MLPClassifier: expected y (n, {self.n_outputs_}) of labels, as in the first "
                    f"fit, got {y.shape}"
                )
            return y.astype(dtype)
        unknown = np.setdiff1d(y, self.classes_)
        if y.ndim != 1 or len(unknown):
            raise ValueError(
                f"MLPClassifier: expected y (n,) of the classes {self.classes_}, got {y.shape} "
                f"with {unknown} besides; give all classes to the first fit"
            )
        codes = np.searchsorted(self.classes_, y)
        return codes.astype(dtype)[:, None] if self.n_outputs_ == 1 else codes.astype(np.int32)

    def _strata(self, targets: np.ndarray) -> np.ndarray | None:
        return None if self._labels() else targets.reshape(-1)

    def _weighted(self, train: Examples) -> Examples:
        if self.class_weight is None:
            return train
        if self._labels():
            raise ValueError(
                f"MLPClassifier: expected class_weight=None for labels that do not exclude each "
                f"other, got {self.class_weight!r}; give sample_weight"
            )
        y = self.classes_[train.targets.reshape(-1).astype(int)]
        table = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        weights = table[np.searchsorted(self.classes_, y)]
        if train.weights is not None:
            weights = weights * train.weights
        return train._replace(weights=weights.astype(train.x.dtype))

    def _validation_score(self, found: np.ndarray, held: Examples) -> float:
        right = self._decided(found) == held.targets.reshape(len(found), -1)
        return float(np.average(right.all(axis=1), weights=held.weights))

    def _decided(self, z: np.ndarray) -> np.ndarray:
        """What logits decide for: the number of a class, (n, 1), or zeros and ones, (n, labels)."""
        several = self.out_activation_ == "softmax"
        return z.argmax(axis=1)[:, None] if several else (z > 0).astype(int)
