"""Which numbers a field may hold, said once, in its annotation.

    eps: Annotated[float, Positive] = 1e-3

A value refuses other numbers when it is made, see `jaxnn.core.values`. An application that builds
forms or config files from the classes of the library reads the same annotations. Nothing here
imports jax, so that such a form opens at once.
"""

import math
from typing import NamedTuple


class Range(NamedTuple):
    """The finite numbers from `low` to `high`, ends included unless open; `whole` ones alone."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    whole: bool = False

    def __contains__(self, number: object) -> bool:
        """Whether a number, finite as it has to be, lies inside."""
        if not isinstance(number, int | float) or not math.isfinite(number):
            return False
        above = self.low < number if self.open_low else self.low <= number
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def __str__(self) -> str:
        opening, closing = "(["[not self.open_low], ")]"[not self.open_high]
        return f"{opening}{self.low:g}, {self.high:g}{closing}"


Finite = Range()
Positive = Range(0.0, open_low=True)
NotNegative = Range(0.0)
Share = Range(0.0, 1.0)
Fraction = Range(0.0, 1.0, open_high=True)
Count = Range(1, whole=True)
Natural = Range(0, whole=True)
