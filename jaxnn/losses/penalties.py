"""Penalties on the size of the weights, added to the objective.

A penalty is called on a tree of parameters and returns `(value, grads)`, grads with the structure
of the tree. It looks at weights alone, see `jaxnn.core.parameters`; `on=everything` includes
biases, scales and shifts. Adding `l2` to the gradient is not the same as the decoupled decay of
`AdamW`: with an adaptive optimizer the penalty is rescaled like the rest of the gradient.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Annotated, Any

import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn.core.parameters import weights
from jaxnn.core.ranges import NotNegative
from jaxnn.core.types import Number, Params
from jaxnn.core.values import Pytree, argument_form, changed_fields, static

Selection = Callable[[tuple[Any, ...]], bool]


class Penalty(Pytree):
    """value = l1 sum |w| + l2/2 sum w^2,   dw = l1 sign(w) + l2 w, over the leaves `on` chooses.

    At w = 0 the subgradient of |w| is taken as 0. Raises ValueError for a negative or non-finite
    l1 or l2, and for a tree in which `on` chooses nothing.
    """

    any_shape = True
    l1: Annotated[Number, NotNegative] = 0.0
    """On the absolute values."""
    l2: Annotated[Number, NotNegative] = 0.0
    """On half of the squares."""
    on: Selection = static(default=weights)

    def __repr__(self) -> str:
        numbers = changed_fields(self)
        on = numbers.pop("on", None)
        name = next(iter(numbers)) if len(numbers) == 1 else "elastic"
        arguments = list(map(argument_form, numbers.values() or (self.l1, self.l2)))
        return f"{name}({', '.join(arguments + [f'on={argument_form(on)}'] * (on is not None))})"

    def __call__(self, params: Params) -> tuple[Any, Any]:
        leaves, structure = tree_flatten_with_path(params)
        if not any(self.on(path) for path, _ in leaves):
            raise ValueError(
                f"{self!r}: expected weights among the parameters, got "
                f"{', '.join(keystr(path) for path, _ in leaves) or 'no parameters'}; name them w "
                "in a record such as jaxnn.Affine, or pass on=jaxnn.core.everything"
            )
        value, grads = jnp.zeros(()), []
        for path, w in leaves:
            if self.on(path):
                l1, l2 = jnp.asarray(self.l1, w.dtype), jnp.asarray(self.l2, w.dtype)
                value = value + (l1 * jnp.abs(w) + 0.5 * l2 * w * w).sum().astype(value.dtype)
                grads.append(l1 * jnp.sign(w) + l2 * w)
            else:
                grads.append(jnp.zeros_like(w))
        return value, structure.unflatten(grads)


def check_penalty(penalty: Any) -> None:
    """Refuse what is no penalty: a number, and a function such as `l2` without its strength."""
    if penalty is not None and (not callable(penalty) or isinstance(penalty, FunctionType | type)):
        raise TypeError(
            f"expected a penalty such as l2(1e-4), got {penalty!r}; one of your own is a value of "
            "a jaxnn.core.Pytree with __call__(self, params) -> (value, grads)"
        )


def l1(strength: Number, on: Selection = weights) -> Penalty:
    """strength * sum |w|: pulls small weights to zero (lasso). Source: Tibshirani 1996."""
    return Penalty(l1=strength, on=on)


def l2(strength: Number, on: Selection = weights) -> Penalty:
    """strength/2 * sum w^2: gradient strength * w (ridge, weight decay under plain SGD).

    Nielsen 2015, eq. 87, writes lambda/(2n) sum w^2: that is strength = lambda/n.
    """
    return Penalty(l2=strength, on=on)


def elastic(l1: Number, l2: Number, on: Selection = weights) -> Penalty:
    """l1 * sum |w| + l2/2 * sum w^2. Source: Zou and Hastie 2005, eq. 3, up to their factor 1/2."""
    return Penalty(l1=l1, l2=l2, on=on)
