"""The hyperparameters of both estimators, and what each may be."""

import dataclasses
import math
from numbers import Integral
from typing import Any

from jaxnn.core.ranges import Fraction, NotNegative, Positive, Range, Share
from jaxnn.core.values import check_number
from jaxnn.sklearn.network import ACTIVATIONS

CHOICES = {
    "solver": ("adam", "sgd", "lbfgs"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
}
RANGES = {
    "alpha": NotNegative,
    "learning_rate_init": Positive,
    "power_t": NotNegative,
    "tol": NotNegative,
    "momentum": Share,
    "validation_fraction": Range(0.0, 1.0, open_low=True, open_high=True),
    "beta_1": Fraction,
    "beta_2": Fraction,
    "epsilon": Positive,
    "dropout": Fraction,
}


@dataclasses.dataclass(eq=False, repr=False)
class Hyperparameters:
    """Names, defaults and meanings are scikit-learn's; three are new.

    `activation` may be a tuple, one name for each hidden layer. `dropout` is the share of each
    hidden layer's outputs that is set to zero while training. `batch_norm` normalises what goes
    into each activation; after training it is folded into `coefs_` and `intercepts_`.

    `dataclass` writes the `__init__` in which scikit-learn looks up the names.
    """

    hidden_layer_sizes: Any = (100,)
    _: dataclasses.KW_ONLY
    activation: Any = "relu"
    solver: Any = "adam"
    alpha: Any = 0.0001
    batch_size: Any = "auto"
    learning_rate: Any = "constant"
    learning_rate_init: Any = 0.001
    power_t: Any = 0.5
    max_iter: Any = 200
    shuffle: Any = True
    random_state: Any = None
    tol: Any = 1e-4
    verbose: Any = False
    warm_start: Any = False
    momentum: Any = 0.9
    nesterovs_momentum: Any = True
    early_stopping: Any = False
    validation_fraction: Any = 0.1
    beta_1: Any = 0.9
    beta_2: Any = 0.999
    epsilon: Any = 1e-8
    n_iter_no_change: Any = 10
    max_fun: Any = 15000
    dropout: Any = 0.0
    batch_norm: Any = False

    def check_hyperparameters(self) -> None:
        """Raises ValueError for a value out of range, TypeError for one that is no number."""
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise self.unexpected(name, f"one of {known}")
        for name, allowed in RANGES.items():
            check_number(self, name, allowed)
        for name in ("max_iter", "max_fun"):
            if not is_count(getattr(self, name)):
                raise self.unexpected(name, "a whole number >= 1")
        if self.batch_size != "auto" and not is_count(self.batch_size):
            raise self.unexpected("batch_size", "'auto' or a whole number >= 1")
        if self.n_iter_no_change != math.inf and not is_count(self.n_iter_no_change):
            raise self.unexpected("n_iter_no_change", "a whole number >= 1 or infinity")
        if self.solver == "lbfgs" and (self.early_stopping or self.dropout or self.batch_norm):
            raise self.unexpected(
                "solver", "'adam' or 'sgd' with early_stopping, dropout or batch_norm"
            )
        self.activations()

    def widths(self) -> tuple[int, ...]:
        """The widths of the hidden layers. Raises ValueError for one that is no number >= 1."""
        given = self.hidden_layer_sizes
        widths = tuple(given) if hasattr(given, "__iter__") else (given,)
        if not all(is_count(width) for width in widths):
            raise self.unexpected(
                "hidden_layer_sizes", "a whole number > 0, or one for each hidden layer"
            )
        return tuple(int(width) for width in widths)

    def activations(self) -> tuple[str, ...]:
        """The names of the activations, one for each hidden layer. Raises ValueError likewise."""
        given, n = self.activation, len(self.widths())
        names = (given,) * n if isinstance(given, str) else tuple(given)
        known = given in ACTIVATIONS if isinstance(given, str) else set(names) <= set(ACTIVATIONS)
        if not known or len(names) != n:
            raise self.unexpected(
                "activation", f"one of {tuple(ACTIVATIONS)}, or one for each of {n} hidden layers"
            )
        return names

    def unexpected(self, name: str, expected: str) -> ValueError:
        """The error for a hyperparameter that is not what it must be."""
        came = getattr(self, name)
        return ValueError(f"{type(self).__name__}: expected {name} to be {expected}, got {came!r}")


def is_count(value: Any) -> bool:
    """Whether it is a whole number >= 1, of Python or of numpy."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
