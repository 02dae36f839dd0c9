"""The two kinds of immutable value that everything here is made of.

`Static` holds hyperparameters that shape a program: layers, losses, initialisers. It is a pytree
without leaves, so it passes through `jax.jit` as an ordinary argument, and an equal value built
anew finds the program already compiled. `Pytree` holds numbers and arrays that a program computes
with: optimizers, schedules, penalties, factors. Its fields are leaves, so a new learning rate does
not compile again and a whole sweep can be `jax.vmap`ped.

A subclass of either is a frozen dataclass without being told so. The annotation of a field says
what it may hold, a range of `jaxnn.core.ranges` or the words of a `Literal`, and every value is
checked by it when it is made:

    momentum: Annotated[Number, Fraction] | None = None
"""

import collections.abc
import dataclasses
import functools
import numbers
import types
from typing import Any, Literal, NamedTuple, Self, Union, dataclass_transform, get_args, get_origin

import jax
import numpy as np
from jax.core import Tracer

from jaxnn.core.ranges import Count, Range


def call_form(name: str, value: Any) -> str:
    """`name(...)` with the arguments that make `value`: required ones bare, changed ones named."""
    required = [
        argument_form(getattr(value, field.name))
        for field in dataclasses.fields(value)
        if field.default is dataclasses.MISSING
    ]
    changed = [f"{name}={argument_form(given)}" for name, given in changed_fields(value).items()]
    return f"{name}({', '.join(required + changed)})"


def changed_fields(value: Any) -> dict[str, Any]:
    """The fields of `value` that differ from their defaults; an array differs from any."""
    found = {}
    for field in dataclasses.fields(value):
        given, default = getattr(value, field.name), field.default
        if default is dataclasses.MISSING or given is default:
            continue
        if isinstance(given, jax.Array | np.ndarray) or given != default:
            found[field.name] = given
    return found


_SHOWN = 16  # numbers; longer arrays are described, and such a form cannot be pasted back


def argument_form(value: Any) -> str:
    """`value` as it is written in a call: functions by name, short arrays as `jnp.array(...)`."""
    if isinstance(value, jax.Array | np.ndarray):
        return _array_form(value)
    if isinstance(value, types.FunctionType):
        return value.__name__
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k!r}: {argument_form(v)}' for k, v in value.items())}}}"
    if not isinstance(value, tuple):
        return repr(value)
    if hasattr(value, "_fields"):
        inside = [f"{k}={argument_form(v)}" for k, v in value._asdict().items()]  # pyright: ignore
        return f"{type(value).__name__}({', '.join(inside)})"
    return f"({', '.join(map(argument_form, value))}{',' if len(value) == 1 else ''})"


def _array_form(array: Any) -> str:
    """`jnp.array([0.1, 0.2])`; `<float32 (64, 10)>` where it is long, or has no values to show."""
    traced = isinstance(array, Tracer)
    here = traced or isinstance(array, np.ndarray) or array.is_fully_addressable
    gone = not traced and isinstance(array, jax.Array) and array.is_deleted()
    if traced or gone or not here or array.size > _SHOWN:
        return f"<{array.dtype} {array.shape}>"
    shown = np.array2string(np.asarray(array), separator=", ", floatmode="unique")
    given = "" if str(array.dtype) in ("float32", "int32", "bool") else f', "{array.dtype}"'
    return f"jnp.array({shown}{given})"


class _Value:
    def __post_init__(self) -> None:
        """Refuse what the annotations of the fields leave out. One of your own calls this one."""
        for name, rule in _rules(type(self)):
            rule.check(self, name)

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


class _Rule(NamedTuple):
    """What a field may hold: numbers of a range or one of the words, of either several kinds; None,
    functions and tuples too? A tuple is for whoever knows how long it has to be."""

    allowed: tuple[Range | tuple[Any, ...], ...]
    none: bool
    function: bool
    tuples: bool

    def check(self, owner: Any, name: str) -> None:
        value = getattr(owner, name)
        if (value is None and self.none) or (callable(value) and self.function):
            return
        first, *others = self.allowed
        if self.tuples or others:
            self._check_any(owner, name)
        elif not isinstance(first, Range):
            check_choice(owner, name, first)
        elif first.whole:
            check_count(owner, name, first)
        else:
            check_number(owner, name, first)

    def _check_any(self, owner: Any, name: str) -> None:
        value = getattr(owner, name)
        if self.tuples and isinstance(value, tuple):
            return
        if isinstance(value, bool) or not any(_fits(value, some) for some in self.allowed):
            known = [*map(_described, self.allowed), *(["a tuple of such"] if self.tuples else [])]
            raise ValueError(
                f"{type(owner).__name__}: expected {name} to be {' or '.join(known)}, got {value!r}"
            )


def _fits(value: Any, allowed: Range | tuple[Any, ...]) -> bool:
    if not isinstance(allowed, Range):
        return isinstance(value, str) and value in allowed
    return value in allowed and (isinstance(value, int) or not allowed.whole)


def _described(allowed: Range | tuple[Any, ...]) -> str:
    if not isinstance(allowed, Range):
        return " or ".join(map(repr, allowed))
    return f"a whole number >= {allowed.low}" if allowed.whole else f"a number in {allowed}"


@functools.cache
def _rules(cls: type) -> tuple[tuple[str, _Rule], ...]:
    """The fields whose annotation says what they may hold."""
    found = [(field.name, _rule(field.type)) for field in dataclasses.fields(cls)]
    return tuple((name, rule) for name, rule in found if rule is not None)


def _rule(annotation: Any) -> _Rule | None:
    union = get_origin(annotation) in (Union, types.UnionType)
    options = get_args(annotation) if union else (annotation,)
    allowed = tuple(found for option in options if (found := _allowed(option)) is not None)
    function = any(get_origin(option) is collections.abc.Callable for option in options)
    tuples = any(get_origin(option) is tuple for option in options)
    return _Rule(allowed, types.NoneType in options, function, tuples) if allowed else None


def _allowed(option: Any) -> Range | tuple[Any, ...] | None:
    """The words of a `Literal`, or the range that annotates a number."""
    if get_origin(option) is Literal:
        return get_args(option)
    marks = getattr(option, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Range)), None)


def check_choice(owner: Any, name: str, words: tuple[Any, ...]) -> None:
    """Refuse a hyperparameter that is none of these words."""
    value = getattr(owner, name)
    if value not in words:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} to be one of {words}, got {value!r}"
        )


def check_count(owner: Any, name: str, allowed: Range = Count) -> None:
    """Refuse a hyperparameter that is no whole number, or too small a one."""
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int) or value not in allowed:
        raise ValueError(
            f"{type(owner).__name__}: expected {name} to be a whole number >= {allowed.low}, "
            f"got {value!r}"
        )


def check_number(owner: Any, name: str, allowed: Range) -> None:
    """Refuse a hyperparameter that is no finite number in a range.

    JAX arrays pass: those of a sweep have no single value, and looking into one would wait for the
    device.
    """
    value = getattr(owner, name)
    if isinstance(value, jax.Array):
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{type(owner).__name__}: expected a number for {name}, got {value!r}")
    if float(value) not in allowed:
        raise ValueError(
            f"{type(owner).__name__}: expected a finite {name} in {allowed}, got {value!r}"
        )
