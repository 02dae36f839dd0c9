"""Which training lies behind which recorded curve."""

from dataclasses import dataclass

from experiments.lectures.recorded.images import Evaluation
from experiments.lectures.recorded.networks import Start

SEED = 12345678  # of NumPy's generator and of Python's, set once for each file


@dataclass(frozen=True)
class Run:
    """One training of a 784-hidden-10 network by stochastic gradient descent, batches of ten.

    name        what we call it
    file        the recorded file, and
    place       where in that file its four curves stand
    hidden      units of the hidden layer
    eta, lam    learning rate, and lambda of the penalty lambda/(2n) sum w^2
    examples    n, the first of the training images
    epochs      how many were recorded
    evaluation  the images that are not trained on
    draws       networks drawn from the generator; the run starts from the last
    before      epochs whose shuffles the list of examples has behind it already
    """

    name: str
    file: str
    place: tuple[str | int, ...]
    hidden: int
    eta: float
    lam: float
    examples: int
    epochs: int
    evaluation: Evaluation
    draws: tuple[Start, ...]
    before: int = 0


def _regularization(name: str, lam: float, examples: int, epochs: int) -> Run:
    """Chapter 3, "Overfitting and regularization"."""
    return Run(
        name=name,
        file=f"{name}.json",
        place=(),
        hidden=30,
        eta=0.5,
        lam=lam,
        examples=examples,
        epochs=epochs,
        evaluation="test",
        draws=("scaled", "large"),  # a network draws its own start when it is made, then the other
    )


def _initialization(hidden: int, start: Start) -> Run:
    """Chapter 3, "Weight initialization": a network is trained from its own start, then from large
    weights, with the generators and the order of the examples as the first training left them."""
    first = start == "scaled"
    return Run(
        name=f"weight_initialization_{hidden}_{start}",
        file=f"weight_initialization_{hidden}.json",
        place=("default_weight_initialization" if first else "large_weight_initialization",),
        hidden=hidden,
        eta=0.1,
        lam=5.0,
        examples=50_000,
        epochs=30,
        evaluation="validation",
        draws=("scaled",) if first else ("scaled", "large"),
        before=0 if first else 30,
    )


def _learning_rate(index: int, eta: float) -> Run:
    """Chapter 3, "Learning rate": three networks trained one after the other, as above."""
    return Run(
        name=f"eta_{eta}",
        file="multiple_eta.json",
        place=(index,),
        hidden=30,
        eta=eta,
        lam=5.0,
        examples=50_000,
        epochs=30,
        evaluation="validation",
        draws=("scaled",) * (index + 1),
        before=30 * index,
    )


RUNS = {
    run.name: run
    for run in (
        _regularization("overfitting", 0.0, 1000, 400),
        _regularization("regularized", 0.1, 1000, 400),
        *(_initialization(hidden, start) for hidden in (30, 100) for start in ("scaled", "large")),
        *(_learning_rate(index, eta) for index, eta in enumerate((0.025, 0.25, 2.5))),
        _regularization("overfitting_full", 0.0, 50_000, 30),
        _regularization("regularized_full", 5.0, 50_000, 30),
    )
}
