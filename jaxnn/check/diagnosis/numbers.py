"""Giving a number its name: 0.8 is `keep`, 27/32 is `n_valid/batch`, 0.3536 is `1/sqrt(8)`."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple


class Number(NamedTuple):
    """value = over/under, each a product in words, either may be empty; `note` says what a bare
    numeral in them stands for, and `pair` whether two constants make the number."""

    value: float
    over: str
    under: str = ""
    note: str = ""
    pair: bool = False

    def __str__(self) -> str:
        under = f"({self.under})" if "*" in self.under else self.under
        return f"{self.over or 1}/{under}" if under else self.over

    @property
    def inverse(self) -> "Number":
        """1/value."""
        return self._replace(value=1.0 / self.value, over=self.under, under=self.over)


def expressions(constants: dict[str, float], lengths: dict[str, float]) -> Iterator[Number]:
    """All named numbers, the simplest first, and those named by the user before lengths of axes.

    Quotients of two lengths are left out: with short axes, every simple fraction is one.
    """
    named = [Number(v, name) for name, v in constants.items()]
    found = [Number(v, f"{v:g}", note=f"{v:g} = {name}") for name, v in lengths.items()]
    for number in [*named, Number(2.0, "2")]:
        yield from (number, number.inverse)
    for number in named:
        yield from _functions(number)
        yield from _both(number, Number(2.0, "2"))
    for number in found:
        yield from (number, number.inverse)
    for pair in combinations(named, 2):
        yield from _both(*pair)
    for number in found:
        yield from _functions(number)
    for number in named:
        for length in found:
            yield from _both(number, length)
    for pair in combinations(found, 2):
        yield from list(_both(*pair))[:2]


def _functions(number: Number) -> Iterator[Number]:
    """What one constant turns into: root, square, (v-1)/v and its root, 1-v of a share."""
    v, name, note = number.value, number.over, number.note
    made = [Number(math.sqrt(v), f"sqrt({name})"), Number(v * v, f"{name}^2")]
    if v > 1.0:
        made.append(Number((v - 1.0) / v, f"({name}-1)", name))
        made.append(Number(math.sqrt((v - 1.0) / v), f"sqrt(({name}-1)/{name})"))
    elif v < 1.0:
        made.append(Number(1.0 - v, f"(1-{name})"))
    for one in made:
        one = one._replace(note=note)
        yield from (one, one.inverse)


def _both(a: Number, b: Number) -> Iterator[Number]:
    """The product of two constants, and their quotient."""
    note = ", ".join(note for note in (a.note, b.note) if note)
    product = Number(a.value * b.value, f"{b.over}*{a.over}", "", note, True)
    ratio = Number(a.value / b.value, a.over, b.over, note, True)
    for one in (product, ratio):
        yield from (one, one.inverse)


def name_of(
    value: float, tolerance: float, constants: dict[str, float], lengths: dict[str, float]
) -> Number | None:
    """The simplest named number within `tolerance` of |value|, but not 1, which says nothing.

    Numbers made of two constants are many, so they have to be five times as close.
    """
    usable = [
        {name: abs(v) for name, v in group.items() if math.isfinite(v) and abs(v) not in (0.0, 1.0)}
        for group in (constants, lengths)
    ]
    for number in expressions(*usable):
        slack = tolerance / 5.0 if number.pair else tolerance
        if abs(number.value - abs(value)) <= slack and abs(number.value - 1.0) > 1e-12:
            return number
    return None
