"""What an optimizer asks of a step: what it reads of the sweep, how it starts, what it reports.

    init(params)                  -> state                 and update(found, state, params), as ever
    read, or read(state)          what to read of each sweep; by default the gradient
    start(params, found, key)     -> state                 in place of init, for one that keeps more
    report(state)                 -> {name: number}        what it found out: metrics of a run
    loss_scale(state)             -> number                by what errors are multiplied

Only the first line must be there. `found` is what `read` asks for: a reading's answer, or a tuple
of the answers of several. The first of them is shaped like params, and the gradient of a penalty is
added to it. `read(state)` may depend on the state, as on its random key; with a state of None it
says no more than what shapes to expect, and `start` gets `found` in these shapes.
"""

import inspect
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.refusals import check_same_tree
from jaxnn.core.types import Key, Params, Tree
from jaxnn.readings.linear import Gradient, gradient
from jaxnn.readings.reading import Reading, Several, as_reading


def check_optimizer(optimizer: Any) -> None:
    """Refuse what has no `init` and `update`, and a class in the place of a value of it."""
    methods = (getattr(optimizer, name, None) for name in ("init", "update"))
    if isinstance(optimizer, type):
        hint = f"write {optimizer.__name__}(...) with its numbers, such as a learning rate"
    elif all(map(callable, methods)):
        return
    else:
        hint = "one of your own has init(params) and update(grads, state, params)"
    raise TypeError(f"expected an optimizer such as Adam(1e-3), got {optimizer!r}; {hint}")


def asked(optimizer: Any, state: Tree) -> Reading:
    """What the optimizer reads at this state."""
    read = getattr(optimizer, "read", gradient)
    return as_reading(read(state) if inspect.ismethod(read) else read)


def asks_more(optimizer: Any) -> bool:
    """Whether it reads anything but the gradient."""
    return not isinstance(asked(optimizer, None), Gradient)


def started(optimizer: Any, params: Params, found: Tree, key: Key) -> Tree:
    """The state of an optimizer before the first step."""
    start = getattr(optimizer, "start", None)
    return optimizer.init(params) if start is None else start(params, found, key)


def reported(optimizer: Any, state: Tree) -> dict[str, Any]:
    """What an optimizer found out on the way, by name; by default nothing."""
    report = getattr(optimizer, "report", None)
    return {} if report is None else report(state)


def loss_scale(optimizer: Any, state: Tree) -> Any:
    """By what errors are multiplied on their way down; None where it does not say."""
    scale = getattr(optimizer, "loss_scale", None)
    return None if scale is None else scale(state)


def check_inner(optimizer: Any) -> None:
    """Refuse what is no optimizer, or one that has to stand around all others."""
    check_optimizer(optimizer)
    if hasattr(optimizer, "loss_scale"):
        raise ValueError(
            f"expected an optimizer that may stand inside another, got {optimizer!r}; put its "
            f"{type(optimizer).__name__} around the whole"
        )


def with_penalty(reading: Reading, found: Tree, dparams: Params) -> Tree:
    """What was read, with the gradient of a penalty added to the first of it.

    Raises ValueError where that is not shaped like params.
    """
    several = isinstance(reading, Several)
    first = found[0] if several else found
    check_same_tree(
        "the first of what an optimizer reads", first, "the penalty's gradient", dparams
    )
    first = jax.tree.map(jnp.add, first, dparams)
    return (first, *found[1:]) if several else first
