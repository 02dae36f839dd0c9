"""What a filter sees, one wrong gradient, and what it answers: guesses at what it is instead."""

import math
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np


class Case(NamedTuple):
    """One wrong gradient, `ours` = `reference` + `error`, and all that may explain it.

    `others` holds (ours, reference) of the other leaves; `arrays` what has a name: known arrays
    and arguments, the one that the gradient is by under `path`; `each` the gradients of single
    examples, (batch, *shape), where they are known; `lengths` the numbers that nobody had to name:
    lengths of axes and their products.
    """

    path: str
    ours: np.ndarray
    reference: np.ndarray
    error: np.ndarray
    allowed: float
    others: dict[str, tuple[np.ndarray, np.ndarray]]
    arrays: dict[str, np.ndarray]
    constants: dict[str, float]
    lengths: dict[str, float]
    each: np.ndarray | None

    def instead(self, reference: np.ndarray) -> "Case":
        """The same gradient, seen against another reference."""
        return self._replace(reference=reference, error=self.ours - reference)


class Guess(NamedTuple):
    """What `ours` would be if this were the cause: `predicted`, made with `free` fitted numbers.

    `entries` of the leaf speak for or against it, if not just those where the error is: it says
    where the gradient is right, and has to leave no more than rounding. `rule` (a, b) says the
    same in a form that other leaves can be held against: ours = a reference + b argument.
    """

    kind: str
    text: str
    advice: str
    predicted: np.ndarray
    free: int = 0
    entries: int | None = None
    rule: tuple[float, float] | None = None


def norm(a: np.ndarray) -> float:
    """The Euclidean norm over all axes, scaled so that squares of tiny numbers do not underflow."""
    top = float(np.abs(a).max(initial=0.0))
    return top * float(np.linalg.norm((a / top).ravel())) if top else 0.0


def fit(error: np.ndarray, base: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """The least-squares c in error = c base, summed over `axes`, and how many numbers c has.

    c = sum(error base) / sum(base base), shaped like `error` with length 1 along `axes`.
    """
    base = np.broadcast_to(base, error.shape)
    power = (base * base).sum(axes, keepdims=True)
    live = power > 1e-30 * power.max(initial=0.0)
    c = (error * base).sum(axes, keepdims=True) / np.where(live, power, 1.0)
    return np.where(live, c, 0.0), int(live.sum())


def fit_all(
    error: np.ndarray, bases: tuple[np.ndarray | float, ...], axes: tuple[int, ...]
) -> tuple[np.ndarray, int]:
    """The least-squares sum of c base over several bases, and how many numbers it has.

    A base enters less what the ones before it span, by Gram and Schmidt; nothing new, no entry.
    """
    made, free, basis = np.zeros_like(error), 0, []
    for base in bases:
        rest = whole = np.broadcast_to(base, error.shape)
        for other in basis:
            rest = rest - fit(rest, other, axes)[0] * other
        if norm(rest) > 1e-8 * norm(whole):
            basis.append(rest)
            c, used = fit(error, rest, axes)
            made, free = made + c * rest, free + used
    return made, free


def axis_sets(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """All sets of axes longer than 1, the ones that leave the fewest indices outside first."""
    long = [axis for axis, length in enumerate(shape) if length > 1]
    sets = [axes for size in range(1, len(long) + 1) for axes in combinations(long, size)]
    return sorted(sets, key=lambda axes: math.prod(shape) // math.prod(shape[a] for a in axes))


def axis_words(axes: tuple[int, ...]) -> str:
    """`axis 0`, or `axes 0, 1`."""
    return ("axis " if len(axes) == 1 else "axes ") + ", ".join(map(str, axes))


def outside(case: Case, axes: tuple[int, ...]) -> str:
    """The axes of the leaf that are longer than 1 and not among `axes`, in words."""
    shape = case.error.shape
    return axis_words(tuple(a for a, n in enumerate(shape) if n > 1 and a not in axes))


def laid_out(array: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """`array` with axes of length 1 put in, in every way that broadcasts over `shape`."""
    lengths = tuple(n for n in array.shape if n > 1)
    for kept in combinations(range(len(shape)), len(lengths)):
        if lengths and tuple(shape[axis] for axis in kept) == lengths:
            yield array.reshape([n if axis in kept else 1 for axis, n in enumerate(shape)])


def is_mask(array: np.ndarray) -> bool:
    """Whether the array holds zeros and one other value, as 0 and 1, or 0 and 1/keep."""
    values = np.unique(array)
    return len(values) == 2 and values[0] == 0.0


def active(case: Case) -> int:
    """How many entries speak: those that are not zero in both gradients."""
    return int(np.count_nonzero((case.ours != 0.0) | (case.reference != 0.0)))


def contractions(case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """(name, array shaped like the leaf) for what named arrays can be contracted to.

    Over a leaf (m,): sum a and sum a b, for a and b (*batch, m); over a leaf (n, m): a^T b, for
    a (*batch, n) and b (*batch, m). A parameter's gradient is such a contraction of the delta.
    """
    shape = case.error.shape
    if len(shape) not in (1, 2):
        return
    flat = {k: a.reshape(-1, a.shape[-1]) for k, a in case.arrays.items() if a.ndim > 1}
    left = {k: a for k, a in flat.items() if a.shape[1] == shape[0] and len(a) > 1}
    if len(shape) == 1:
        yield from ((f"sum {k}", a.sum(0)) for k, a in left.items())
    right = {k: a for k, a in flat.items() if a.shape[1] == shape[-1]}
    for (k, a), (j, b) in ((p, q) for p in left.items() for q in right.items()):
        if len(a) == len(b) and k not in (j, case.path):
            if len(shape) == 2:
                yield f"{k}^T {j}", a.T @ b
            elif k < j:
                yield f"sum {k} {j}", (a * b).sum(0)
