"""The two kinds of immutable value that everything here is made of.

`Static` holds hyperparameters that shape a program: layers, losses, initialisers. It is a pytree
without leaves, so it passes through `jax.jit` as an ordinary argument, and an equal value built
anew finds the program already compiled. `Pytree` holds numbers and arrays that a program computes
with: optimizers, schedules, penalties, factors. Its fields are leaves, so a new learning rate does
not compile again and a whole sweep can be `jax.vmap`ped.

A subclass of either is a frozen dataclass without being told so.
"""

import dataclasses
import math
import numbers
from typing import Any, Self, dataclass_transform

import jax


def call_form(name: str, value: Any) -> str:
    """`name(...)` with the arguments that make `value`: required ones bare, changed ones named."""
    arguments = []
    for field in dataclasses.fields(value):
        given = getattr(value, field.name)
        if field.default is dataclasses.MISSING:
            arguments.append(repr(given))
        elif given is not field.default and given != field.default:
            arguments.append(f"{field.name}={given!r}")
    return f"{name}({', '.join(arguments)})"


class _Value:
    def __repr__(self) -> str:
        return call_form(type(self).__name__, self)

    def replace(self, **changes: Any) -> Self:
        """The same value with some fields changed."""
        return dataclasses.replace(self, **changes)  # pyright: ignore[reportArgumentType]


@dataclass_transform(frozen_default=True)
class Static(_Value):
    """A frozen dataclass that is compared by value, hashable, and a pytree without leaves."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        jax.tree_util.register_static(dataclasses.dataclass(frozen=True, repr=False)(cls))


def static(**keywords: Any) -> Any:
    """Field of a `Pytree` that is structure, not a leaf: a flag, an axis, a function."""
    return dataclasses.field(metadata={"static": True}, **keywords)


@dataclass_transform(frozen_default=True, field_specifiers=(static,))
class Pytree(_Value):
    """A frozen dataclass whose fields are pytree leaves, except those declared by `static`."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        fields = dataclasses.fields(cls)  # pyright: ignore[reportArgumentType]
        leaves = [field.name for field in fields if not field.metadata.get("static")]
        others = [field.name for field in fields if field.metadata.get("static")]

        def flatten(value: Any) -> tuple[list[Any], tuple[Any, ...]]:
            children = [(jax.tree_util.GetAttrKey(name), getattr(value, name)) for name in leaves]
            return children, tuple(getattr(value, name) for name in others)

        def unflatten(structure: tuple[Any, ...], children: Any) -> Any:
            value = object.__new__(cls)  # without its checks: JAX puts anything in place of leaves
            for name, given in zip([*leaves, *others], [*children, *structure], strict=True):
                object.__setattr__(value, name, given)
            return value

        jax.tree_util.register_pytree_with_keys(cls, flatten, unflatten)


def check_count(owner: Any, name: str) -> None:
    """Refuse a hyperparameter that is no whole number >= 1."""
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} to be a whole number >= 1, got {value!r}"
        )


def check_number(
    owner: Any, name: str, low: float = -math.inf, high: float = math.inf, *, open_low: bool = False
) -> None:
    """Refuse a hyperparameter that is no finite number in [low, high].

    `open_low` leaves out `low` itself. JAX arrays pass: those of a sweep have no single value, and
    looking into one would wait for the device.
    """
    value = getattr(owner, name)
    if isinstance(value, jax.Array):
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{type(owner).__name__}: expected a number for {name}, got {value!r}")
    number = float(value)
    inside = low < number <= high if open_low else low <= number <= high
    if not (math.isfinite(number) and inside):
        interval = f"{'(' if open_low else '['}{low:g}, {high:g}]"
        raise ValueError(
            f"{type(owner).__name__}: expected a finite {name} in {interval}, got {value!r}"
        )
