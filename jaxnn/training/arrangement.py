"""When an epoch turns the weight of the first dense layer round, see `jaxnn.fast.columns`.

`train_epoch` does it where it pays, `train_epoch_together` wherever it can: where the layer stands
in series, and the optimizer and the penalty do not mind the shape of a weight.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxnn.core.layer import Layer
from jaxnn.core.types import Array, Params
from jaxnn.fast.columns import Columns, by_columns, pays, place_of
from jaxnn.layers.combinators import Serial
from jaxnn.layers.dense import Dense
from jaxnn.optim.averaging import Averaged
from jaxnn.optim.chaining import Chain

# to turn a weight round makes a program larger, and takes as long as some steps: for an epoch of
# fewer steps, or of fewer multiplications in the layer, the rows stay as they are
_STEPS, _WORK = 8, 1e8


def arranged(plan: Any, params: Params, batch: int, steps: int) -> tuple[Any, Callable[[Any], Any]]:
    """(plan, turn): the plan of an epoch with its first dense layer `by_columns`, where that pays
    and the optimizer and the penalty allow for it; else as it is."""
    net, _, penalty = plan.objective
    path = first_dense(net)
    if path is not None and jax.default_backend() == "cpu" and any_shape(plan.optimizer, penalty):
        w = jax.tree.leaves(params)[place_of(params, path)]
        (n_in, n_out), examples = w.shape, steps * batch
        long = steps >= _STEPS and examples * n_in * n_out >= _WORK
        if long and pays(n_in, n_out, batch):
            net, turn = by_columns(net, path, params)
            return plan._replace(objective=plan.objective._replace(net=net)), turn
    return plan, lambda tree: tree


def first_dense(net: Layer) -> str | None:
    """The path of the first dense layer, if it stands in series with what is in front of it and is
    not by columns already."""
    found = next(_affine_in_series(net), None)
    return found[0] if found and type(found[1]) is Dense else None


def _affine_in_series(net: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    if isinstance(net, Serial):
        for i, layer in enumerate(net.layers):
            yield from _affine_in_series(layer, f"{path}[{i}]")
    elif type(net) in (Dense, Columns):
        yield path, net


def any_shape(transformation: Any, penalty: Any) -> bool:
    """Whether both take a weight number by number, or its norm, and so may get it turned round."""
    if isinstance(transformation, Chain):
        return all(any_shape(t, penalty) for t in transformation.transforms)
    if isinstance(transformation, Averaged):
        return any_shape(transformation.optimizer, penalty)
    return _says_so(transformation) and (penalty is None or _says_so(penalty))


def _says_so(value: Array) -> bool:
    """Whether its own class has `any_shape = True`: what a base says, a subclass may undo."""
    return bool(vars(type(value)).get("any_shape"))
