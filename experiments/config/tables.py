"""Tables made from what the library declares: a key for each field, with its range, its default
and its string, and a `kind` by which a config asks for the table."""

import ast
import functools
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from experiments.config.library import Declared, typed
from experiments.config.types import RANGES, Section, section

# What a key is called where the field has another name.
_WORDS = {"n_out": "units", "w_init": "init", "b_init": "bias_init"}
_MISSING = object()
_MEANS = {"Number": float, **RANGES}


class Own(NamedTuple):
    """A key that the application adds, or means otherwise than the library."""

    wanted: Any
    default: Any
    doc: str = ""


class Nouns(NamedTuple):
    """What the annotations of the library mean in a table, and how a default there is read."""

    module: str
    types: dict[str, Any]
    default: Callable[[ast.expr], Any] = ast.literal_eval


def table(
    found: Declared,
    nouns: Nouns,
    kind: str,
    name: str,
    left_out: Collection[str] = (),
    own: Mapping[str, Own] | None = None,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """A frozen dataclass with the fields of a class or value of the library, `left_out` excepted.

    `source` says what it stands for, `passed` which key is for which field of that.
    """
    keys, passed = _keys(found, nouns, left_out, own or {})
    space = {
        "__doc__": _doc(found.doc, keys),
        "__module__": nouns.module,
        "source": (found.module, found.name),
        "passed": passed,
        "kind": kind,
        **{word: key.default for word, key in keys.items() if key.default is not _MISSING},
    }
    if check is not None:
        space["__post_init__"] = check
    made = type(name, (Section,), space)
    made.__annotations__ = {word: key.wanted for word, key in keys.items()}
    made.__annotations__["kind"] = Literal[kind]
    return section(made)


def _keys(
    found: Declared, nouns: Nouns, left_out: Collection[str], own: Mapping[str, Own]
) -> tuple[dict[str, Own], dict[str, str]]:
    """The keys of a table in order, and which is for which field."""
    keys: dict[str, Own] = {}
    passed, defaults = {}, found.defaults()
    for field in found.fields:
        wanted = typed(field, _MEANS | nouns.types)
        if wanted is None or field.name in left_out:
            continue
        passed[field.name] = word = _WORDS.get(field.name, field.name)
        default = defaults[field.name]
        start = _MISSING if default is None else nouns.default(default)
        keys[word] = Own(wanted, start, field.doc)
    for word, value in own.items():
        keys[word] = value._replace(doc=value.doc or keys[word].doc)
    order = sorted(keys, key=lambda word: _rank(keys[word], word in own))
    return {word: keys[word] for word in order}, passed


def one_of(tables: Mapping[str, Any]) -> Any:
    """The type of a place where any of these tables may stand, told apart by `kind`."""
    union = functools.reduce(operator.or_, tables.values())
    return Annotated[union, Field(discriminator="kind")]


def snake(name: str) -> str:
    """`BatchNorm` as a kind: batch_norm."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _rank(key: Own, own: bool) -> int:
    """Keys that must be given come first, then those of the application."""
    return 0 if key.default is _MISSING else 1 if own else 2


def _doc(text: str, keys: Mapping[str, Own]) -> str:
    """With what each key means, in the form in which the command line looks for help."""
    return "\n".join([text, "", "Args:", *(f"    {word}: {k.doc}" for word, k in keys.items())])
