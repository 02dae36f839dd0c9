"""What a benchmark is made of, and what comes out of it: values, without any measuring."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

Role = Literal["ours", "idiomatic", "strongest", "floor", "peer", "derived"]


class Contender(NamedTuple):
    """One way to do the work of a case: `make(inputs)` gives a call without arguments that does it
    once and waits for the end.

    `answer(result, inputs)` makes what must agree between contenders of the first call's result;
    None for one that computes something else, such as a floor. `needs` names a package.
    The call may have a `figures`, a dict of numbers that are shown beside the times.
    """

    name: str
    role: Role
    make: Callable[[Any], Callable[[], Any]]
    answer: Callable[[Any, Any], Any] | None = lambda result, inputs: result
    needs: str = ""


class Case(NamedTuple):
    """Contenders on inputs that `draw(rng)` draws. Their answers may differ by `tolerance`, for
    each array relative to its largest entry. `rate` is (how much one call does, its unit)."""

    title: str
    draw: Callable[[Any], Any]
    contenders: Sequence[Contender]
    tolerance: float = 1e-3
    rate: tuple[float, str] | None = None


class Settings(NamedTuple):
    """How long to measure, and from which seed to draw."""

    quick: bool = False
    seed: int = 0

    @property
    def seconds(self) -> float:
        """What the timed calls of one contender should take together."""
        return 0.05 if self.quick else 1.5


class Row(NamedTuple):
    """A contender as measured: seconds of a call, by the clock (`wall`) and of all cores (`cpu`),
    one number for each burst, and other figures. All are empty if a package was missing."""

    name: str
    role: Role
    wall: list[float] = []  # noqa: RUF012 - never changed
    cpu: list[float] = []  # noqa: RUF012
    figures: dict[str, float] = {}  # noqa: RUF012


class Outcome(NamedTuple):
    """The table of one case. Speeds are relative to the row `base`, by the clock `clock`. `ms` are
    the figures that are times as well, of one size each."""

    title: str
    rows: list[Row]
    clock: Literal["wall", "cpu"] = "cpu"
    rate: tuple[float, str] | None = None
    ms: Sequence[str] = ()

    def row(self, name: str) -> Row | None:
        """The row of that name, or the first one of that role."""
        named = [row for row in self.rows if row.name == name]
        return next(iter(named or [row for row in self.rows if row.role == name]), None)

    @property
    def base(self) -> Row | None:
        """The idiomatic baseline; without one, our first row."""
        return self.row("idiomatic") or self.row("ours")

    def time(self, name: str, clock: str | None = None) -> float | None:
        """The least seconds of a call; None if it was not measured."""
        row = self.row(name)
        times = getattr(row, clock or self.clock) if row else None
        return min(times) if times else None

    def speed(self, name: str, beside: str = "", clock: str | None = None) -> float | None:
        """How many times as fast it is as another row, or as the base; None if unknown."""
        other = beside or (self.base.name if self.base else "")
        return ratio(self.time(other, clock), self.time(name, clock))

    def figure(self, name: str, key: str) -> float | None:
        """Another figure of a row; None if unknown."""
        row = self.row(name)
        return row.figures.get(key) if row else None


class Found(dict[str, Outcome]):
    """All outcomes of a workload by title; what was not measured is None, in every goal."""

    def speed(self, title: str, name: str, beside: str = "") -> float | None:
        """`Outcome.speed` of that case."""
        return self[title].speed(name, beside) if title in self else None

    def figure(self, title: str, name: str, key: str) -> float | None:
        """`Outcome.figure` of that case."""
        return self[title].figure(name, key) if title in self else None

    def least(self, part: Callable[[str], bool], name: str, beside: str = "") -> float | None:
        """The lowest speed over all cases whose title `part` accepts."""
        speeds = [self.speed(title, name, beside) for title in self if part(title)]
        return min((speed for speed in speeds if speed is not None), default=None)


class Goal(NamedTuple):
    """A number that is aimed at: `target` reads ">= 1.4" or "<= 0.6", `reach` finds what came of
    it, None if that was not measured."""

    number: int
    claim: str
    target: str
    reach: Callable[[Found], float | None]

    def met(self, reached: float) -> bool:
        """Whether that is enough."""
        sense, bound = self.target.split()
        return {">=": operator.ge, "<=": operator.le}[sense](reached, float(bound))


class Workload(NamedTuple):
    """A title, what its tables mean for a user, `measure(settings)`, which yields an outcome for
    each table, and goals."""

    title: str
    meaning: str
    measure: Callable[[Settings], Iterable[Outcome]]
    goals: Sequence[Goal] = ()


def ratio(a: float | None, b: float | None) -> float | None:
    """a / b, or None if either is missing."""
    return a / b if a is not None and b else None


def rivals(outcome: Outcome) -> list[tuple[str, float]]:
    """(name, how many times as fast as that ours is) of every baseline and peer that was timed, at
    every size; ours is the first of that role."""
    ours, speeds = outcome.row("ours"), {}
    for row in outcome.rows:
        if ours and row.role in ("idiomatic", "strongest", "peer"):
            speeds[row.name] = outcome.speed(ours.name, row.name)
            for key in outcome.ms:
                sizes = row.figures.get(key), ours.figures.get(key)
                speeds[f"{row.name} at {key}"] = ratio(*sizes)
    return [(name, speed) for name, speed in speeds.items() if speed is not None]


def standing(outcome: Outcome) -> dict[str, list[tuple[str, float]]]:
    """The rivals that ours is faster than, level with (by 3 %), and slower than."""
    groups = {"faster than": [], "level with": [], "slower than": []}
    for name, speed in rivals(outcome):
        word = "slower than" if speed < 0.97 else "level with" if speed <= 1.03 else "faster than"
        groups[word].append((name, speed))
    return groups
