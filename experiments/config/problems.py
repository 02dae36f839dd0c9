"""What is wrong with a config, in words: one line per problem, all problems at once.

Pydantic finds the problems. Here each one is put into the words of someone who writes TOML, with
the key, the value that came, and what is allowed there, which is read off the config's types.
"""

import dataclasses
import types
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from experiments.common.failures import did_you_mean
from experiments.config import LAYERS, Experiment

_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("of at most", "le"),
}
_SCALARS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
_SEVERAL = {int: "whole numbers", float: "numbers", str: "texts"}
# What the words at these keys name, where the key itself is not the noun.
_NOUNS = {
    "data.name": "data set",
    "model.layers.name": "activation",
    "model.layers.init": "initialisation",
    "train.metrics": "metric",
    "train.watch": "thing to watch",
}


class _Place(NamedTuple):
    """Where a problem is: the path of keys, the type of the last table, the type wanted there."""

    keys: tuple[str | int, ...]
    table: Any
    wanted: Any


def report(source: str, error: ValidationError) -> str:
    """Return one line that counts the problems in `source`, then one indented line for each."""
    lines = [f"  {_line(detail)}" for detail in error.errors() if not _is_echo(detail)]
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return "\n".join([f"{source}: {count}", *lines])


def stand_in(value: object) -> list[list[str]]:
    """Stands in for a date or a time, which JSON lacks: a shape that no key of a config takes."""
    return [[f"the {type(value).__name__} {value}"]]


def _is_echo(detail: ErrorDetails) -> bool:
    # Where every layer is bad, pydantic adds that no good one is left.
    return detail["type"] == "too_short" and bool(detail["input"])


def _line(detail: ErrorDetails) -> str:
    place = _find(detail["loc"])
    key = ".".join(str(step) for step in place.keys)
    return f"{key}: {_problem(detail, place)}"


def _problem(detail: ErrorDetails, place: _Place) -> str:
    came, context, problem = detail["input"], detail.get("ctx", {}), detail["type"]
    if problem == "unexpected_keyword_argument":
        known = [field.name for field in dataclasses.fields(place.table)]
        hint = did_you_mean(place.keys[-1], known) or f", known: {', '.join(sorted(known))}"
        return f"unknown key{hint} {_got(came)}"
    if problem == "missing":
        return f"missing, expected {_describe(place.wanted, None)}"
    if problem == "literal_error":
        return _unknown_word(place, came, get_args(_members(place.wanted)[0]))
    if problem == "union_tag_invalid":
        return _unknown_word(place, came["kind"], _kinds(place.wanted))
    if problem == "union_tag_not_found":
        return f"missing 'kind', known: {', '.join(sorted(_kinds(place.wanted)))}"
    if problem == "too_short":
        return "expected at least one layer"
    if problem == "string_pattern_mismatch":
        return f"expected letters, digits, - and _ only {_got(came)}"
    if problem == "value_error":
        return str(context["error"])
    if problem == "finite_number":
        return f"expected a finite number {_got(came)}"
    limit = ""
    if problem in _BOUNDS:
        words, name = _BOUNDS[problem]
        limit = f" {words} {context[name]:.15g}"
    return f"expected {_describe(place.wanted, came)}{limit} {_got(came)}"


def _unknown_word(place: _Place, word: object, choices: Iterable[str]) -> str:
    path = ".".join(key for key in place.keys if isinstance(key, str))
    noun = "layer" if {*LAYERS} == {*choices} else _NOUNS.get(path, place.keys[-1])
    hint = did_you_mean(word, choices) or ","
    return f"unknown {noun} {_short(word)}{hint} known: {', '.join(sorted(choices))}"


def _got(value: object) -> str:
    return f"(got {_short(value)})"


def _short(value: object) -> str:
    match value:
        case [[str(text)]] if text.startswith("the "):
            value = text
    text = str(value).lower() if isinstance(value, bool) else repr(value)  # TOML writes true
    return text if len(text) <= 60 else text[:57] + "..."


def _find(location: Sequence[str | int]) -> _Place:
    """Follow a location of pydantic through the types, without the kinds it names on the way."""
    keys: list[str | int] = []
    table, here = None, Experiment
    for step in location:
        if kinds := _kinds(here):
            here = kinds[str(step)]
            continue
        table = here
        here = get_args(here)[0] if isinstance(step, int) else get_type_hints(here).get(step)
        keys.append(step)
    return _Place(tuple(keys), table, here)


def _members(wanted: Any) -> list[Any]:
    """The members of a union, without None; of any other type, the type itself."""
    if get_origin(wanted) in (Union, types.UnionType):
        return [member for member in get_args(wanted) if member is not types.NoneType]
    return [wanted]


def _kinds(wanted: Any) -> dict[str, Any]:
    """The tables of a union by their `kind`; empty where no kind has to be given."""
    tables = [member for member in _members(wanted) if dataclasses.is_dataclass(member)]
    if len(tables) < 2:
        return {}
    return {get_args(get_type_hints(table)["kind"])[0]: table for table in tables}


def _describe(wanted: Any, came: object) -> str:
    """What may stand there; where only the name of a kind came, the table with that kind."""
    if kinds := _kinds(wanted):
        example = came if isinstance(came, str) and came in kinds else min(kinds)
        return f'a table such as {{ kind = "{example}" }}'
    (only,) = _members(wanted)
    if get_origin(only) is Literal:
        return f"one of {', '.join(sorted(get_args(only)))}"
    if get_origin(only) is tuple:
        inner = get_args(only)[0]
        words = get_origin(inner) is Literal
        return f"an array of {'words' if words else _SEVERAL.get(inner, 'tables')}"
    return _SCALARS.get(only, "a table")
