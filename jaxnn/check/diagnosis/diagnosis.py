"""The likely cause of a wrong gradient: the simplest thing that would make these very numbers.

Filters guess what the gradient under test is instead of the right one. A guess predicts all of it,
and is believed if what it leaves of the error,

    unexplained = |ours - predicted| / |ours - reference|

is small, and smaller than numbers fitted to an error without structure would make it. A cause that
leaves no more than rounding does is preferred to one that leaves up to 3 %, and causes in pairs,
which can be fitted to much, must leave no more than that.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, norm
from jaxnn.check.diagnosis.filters import FILTERS, PAIRS, ROUNDING, Filter
from jaxnn.check.diagnosis.rounding import unstructured

EXACT, ENOUGH = 1e-3, 0.03
NEAR_NOISE = 0.1  # of an error close to rounding, a cause must still explain all but this share
BY_CHANCE = 1e-6
LARGE = 4_000_000  # entries to search at most, a few seconds for a million; always the first leaf


class Evidence(NamedTuple):
    """What is known about a wrong gradient. Arrays are float64, leaves are named by their path.

    ours and reference hold the gradients under test and the right ones; wrong the paths that were
    judged wrong, in the order in which the forward pass uses them; allowed, for every path, the
    norm of error that rounding explains; arguments what the gradients are by, and other inputs.
    known holds arrays that may show up in an error (a mask, gamma, 1/std; the cotangent as "dy";
    under "each:<path>" the gradients of single examples), constants numbers that may (batch, keep).
    """

    ours: dict[str, np.ndarray]
    reference: dict[str, np.ndarray]
    wrong: tuple[str, ...]
    allowed: dict[str, float]
    arguments: dict[str, np.ndarray]
    known: dict[str, np.ndarray] = {}  # noqa: RUF012 - never changed
    constants: dict[str, float] = {}  # noqa: RUF012 - never changed


class Cause(NamedTuple):
    """A likely cause: its kind, the path it was found at, a sentence, and what to look for.

    unexplained is the share of the error's norm that is left over, 0 to 1; at 1 nothing more was
    found than that the error has the size of rounding.
    """

    kind: str
    place: str
    text: str
    advice: str
    unexplained: float


def diagnose(evidence: Evidence) -> Cause | None:
    """The likely cause, or None.

    The wrong leaf that the forward pass uses last comes first: it is the nearest to the fault, and
    what goes wrong there is blurred in all the others.
    """
    places = tuple(reversed(evidence.wrong))
    for path in places:
        found = _not_finite(path, evidence.ours[path])
        if found:
            return found
    with np.errstate(all="ignore"):  # a guess that is not finite is not believed
        cases = [_case(evidence, path) for path in places]
        return _search([c for c in cases if c.error.any() and np.isfinite(c.reference).all()])


def _search(cases: list[Case]) -> Cause | None:
    sizes = np.cumsum([case.error.size for case in cases])
    near = [case for case, size in zip(cases, sizes, strict=True) if size <= max(LARGE, sizes[0])]
    best = None
    for filters, enough in ((FILTERS, ENOUGH), (PAIRS, EXACT), (ROUNDING, EXACT)):
        for case, guess, left in _believed(near, filters, enough):
            if left <= _exact(case):
                return _cause(cases, case, guess, left)
            best = best or _cause(cases, case, guess, left)
    rounding = ((case, guess) for case in near for guess in unstructured(case))
    return best or next((_cause(cases, case, guess, 1.0) for case, guess in rounding), None)


def chance(entries: float, free: int, left: float) -> float:
    """The probability that `free` fitted numbers leave a share <= left of a random error.

    An error of n independent normal entries, fitted with k numbers: the square of what is left is
    Beta((n - k) / 2, k / 2), so P = left^(n-k) G(n/2) / (G((n-k)/2 + 1) G(k/2)) for small shares.
    1 if there are as many numbers as entries.
    """
    dof = entries - free
    if dof <= 0.0:
        return 1.0
    log = dof * math.log(max(left, 1e-17))
    if free:
        log += math.lgamma(entries / 2) - math.lgamma(dof / 2 + 1.0) - math.lgamma(free / 2)
    return math.exp(min(log, 0.0))


def _not_finite(path: str, ours: np.ndarray) -> Cause | None:
    wrong = np.argwhere(~np.isfinite(ours))
    if not len(wrong):
        return None
    text = f"{len(wrong)} of {ours.size} entries are not finite, the first {wrong[0].tolist()}"
    return Cause("nan", path, text, "look for 0/0, log 0, inf - inf, or an overflow", 0.0)


def _exact(case: Case) -> float:
    """The share that rounding may leave, which grows with our gradient."""
    size = max(1.0, norm(case.ours) / (norm(case.reference) or np.inf))
    return min(NEAR_NOISE, max(EXACT, 2.0 * size * case.allowed / norm(case.error)))


def _believed(
    cases: list[Case], filters: tuple[Filter, ...], enough: float
) -> Iterator[tuple[Case, Guess, float]]:
    """The guesses that leave little, with what they leave, and are not made by chance."""
    for case in cases:
        size, exact = norm(case.error), _exact(case)
        each = np.abs(case.error) * (case.error.size**0.5 / size)
        for filter in filters:
            for guess in filter(case):
                left = norm(case.ours - guess.predicted) / size
                entries, limit = guess.entries, exact
                if entries is None:  # those that speak are larger than what is left
                    entries, limit = int(np.count_nonzero(each > left)), max(enough, exact)
                if left <= limit and chance(entries, guess.free, left) <= BY_CHANCE:
                    yield case, guess, left


def _cause(cases: list[Case], case: Case, guess: Guess, left: float) -> Cause:
    """The guess in words; a rule that holds for every wrong leaf is said to."""
    shared = guess.rule is not None and all(_follows(other, guess.rule) for other in cases)
    everywhere = f"all {len(cases)} wrong leaves: " if shared and len(cases) > 1 else ""
    return Cause(guess.kind, case.path, everywhere + guess.text, guess.advice, min(left, 1.0))


def _follows(case: Case, rule: tuple[float, float]) -> bool:
    a, b = rule
    argument = case.arrays.get(case.path, np.zeros(()))
    if b and argument.shape != case.ours.shape:
        return False
    predicted = a * case.reference + (b * argument if b else 0.0)
    left = norm(case.ours - predicted) / norm(case.error)
    return left <= max(ENOUGH, _exact(case))


def _case(evidence: Evidence, path: str) -> Case:
    known = {{"cotangent": "dy"}.get(k, k): np.asarray(a) for k, a in evidence.known.items()}
    numbers = {k: float(a.reshape(())) for k, a in known.items() if a.size == 1}
    arrays = {**known, **evidence.arguments}  # names that were given say more than paths
    arrays = {k: np.asarray(a, np.float64) for k, a in arrays.items()}
    each = arrays.get(f"each:{path}")
    arrays = {k: a for k, a in arrays.items() if a.size > 1 and not k.startswith("each:")}
    ours, reference = evidence.ours[path], evidence.reference[path]
    return Case(
        path=path,
        ours=ours,
        reference=reference,
        error=ours - reference,
        allowed=evidence.allowed[path],
        others={
            k: (g, evidence.reference[k])
            for k, g in evidence.ours.items()
            if k != path and np.isfinite(g).all()
        },
        arrays={k: a for k, a in arrays.items() if np.isfinite(a).all()},
        constants={**evidence.constants, **numbers},
        lengths=_lengths(evidence),
        each=each,
    )


def _lengths(evidence: Evidence) -> dict[str, float]:
    """Lengths of axes, and of all axes but the last together, each number under its first name."""
    found: dict[float, str] = {}
    arrays = {**evidence.arguments, **evidence.known}
    arrays = {name: a for name, a in arrays.items() if not name.startswith("each:")}
    for name, a in arrays.items():
        for axis, n in enumerate(np.shape(a)):
            found.setdefault(float(n), f"length of axis {axis} of {name}")
    for name, a in arrays.items():
        if np.ndim(a) > 2:
            found.setdefault(float(math.prod(np.shape(a)[:-1])), f"entries per feature of {name}")
        if np.ndim(a) > 1:
            found.setdefault(float(np.size(a)), f"entries of {name}")
    return {name: n for n, name in found.items()}
