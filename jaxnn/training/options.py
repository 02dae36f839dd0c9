"""What is rarely set of a training, in one record."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from jaxnn.core.types import ArrayLike, Number

Function = TypeVar("Function", bound=Callable[..., Any])


class Options(NamedTuple):
    """`Options(penalty=l2(1e-4), micro_batches=4)`, for `train_step` and `train_epoch`.

    weights >= 0, (n,) with one for each row of x or (n, ...) with one for each position, as in
    `backprop`. penalty, such as `l2(1e-4)`, is added to the objective. statistics_momentum in
    [0, 1] is that of the running statistics of batch-norm: the plain mean of the first
    1/(1 - momentum) mini-batches, 100 of them at 0.99, and a running mean with that momentum from
    then on. micro_batches: each mini-batch is taken in so many parts, one after the other, in the
    memory of one, see `accumulate`.

    fresh, (n,) booleans with one for each row of x, trains on sequences that come in parts
    (truncated backpropagation through time): row i of a mini-batch goes on from the state in which
    row i of the one before has left the network, which is a constant and travels in `state.carry`;
    where `fresh` holds, it starts anew.
    """

    weights: ArrayLike = None
    penalty: Any = None
    statistics_momentum: Number = 0.99
    micro_batches: int = 1
    fresh: ArrayLike = None


_FIELDS = ("weights", "penalty", "statistics_momentum", "micro_batches")  # those that it takes
_OLD = {name: name for name in _FIELDS} | {"penalties": "penalty"}


def with_old_keywords(function: Function) -> Function:
    """The function, which for one version also takes these fields of `Options` by themselves."""

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        old = {name: keywords.pop(name) for name in _OLD if name in keywords}
        if old:
            names = ", ".join(f"{_OLD[name]}=..." for name in old)
            warnings.warn(
                f"{function.__name__}({', '.join(old)}=...) is now options=jaxnn.Options({names})",
                DeprecationWarning,
                stacklevel=2,
            )
            options = keywords.get("options") or Options()
            fields = {_OLD[name]: value for name, value in old.items()}
            keywords["options"] = options._replace(**fields)
        return function(*args, **keywords)

    return call  # pyright: ignore[reportReturnType]
