"""What all tables of a config share: the strictness, and ranges of numbers in pydantic's words."""

import dataclasses
import math
from typing import Annotated, Any, ClassVar, dataclass_transform

from annotated_types import Interval
from pydantic import ConfigDict

from jaxnn.core import ranges


def limits(allowed: ranges.Range) -> Any:
    """A range of the library in pydantic's words."""
    low, high = "gt" if allowed.open_low else "ge", "lt" if allowed.open_high else "le"
    ends = {low: allowed.low, high: allowed.high}
    return Interval(**{word: end for word, end in ends.items() if math.isfinite(end)})


RANGES = {name: limits(r) for name, r in vars(ranges).items() if isinstance(r, ranges.Range)}


Positive = Annotated[float, RANGES["Positive"]]
NotNegative = Annotated[float, RANGES["NotNegative"]]
Fraction = Annotated[float, RANGES["Fraction"]]
Share = Annotated[float, RANGES["Share"]]
Count = Annotated[int, RANGES["Count"]]


class Section:
    """Base of every table: unknown keys, infinities and NaN are refused.

    Tables are frozen, and equal if their keys are. What `dataclass` would write for each of forty
    tables takes longer than to read a config, so it stands here once.
    """

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid", "allow_inf_nan": False}

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))

    def __repr__(self) -> str:
        keys = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{type(self).__name__}({keys})"


@dataclass_transform(frozen_default=True, kw_only_default=True)
def section(cls: type) -> Any:
    """Make a table of a class: the annotations are its keys."""
    return dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
