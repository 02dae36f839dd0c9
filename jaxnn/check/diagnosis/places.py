"""Filters for gradients that are right in most places: entries, rows, what is not clipped."""

from collections.abc import Iterator

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, active, norm
from jaxnn.check.diagnosis.fits import spelt
from jaxnn.check.diagnosis.numbers import name_of


def fewest(sizes: np.ndarray, allowed: float) -> np.ndarray:
    """The indices, ascending, of the fewest sizes whose removal leaves a norm <= allowed."""
    order = np.argsort(sizes)
    left = np.sqrt(np.cumsum(sizes[order] ** 2))
    return np.sort(order[np.searchsorted(left, allowed, side="right") :])


def entries(case: Case) -> Iterator[Guess]:
    """A few entries are wrong, at most one in fifty or one alone; all others are right."""
    wrong = fewest(np.abs(case.error).ravel(), case.allowed)
    if case.error.size < 2 or not 0 < len(wrong) <= max(1, case.error.size // 50):
        return
    index = tuple(int(i) for i in np.unravel_index(wrong[0], case.error.shape))
    place = "[" + ", ".join(map(str, index)) + "]"
    ours, right = case.ours[index], case.reference[index]
    if len(wrong) == 1:
        how = "zero there" if ours == 0.0 else f"{ours:.4g} there"
        how = f"times {ours / right:.4g} there" if ours and right else how
        text = f"only entry {place} is wrong, {how}"
    else:
        text = f"only {len(wrong)} of {case.error.size} entries are wrong, the first {place}"
    predicted = case.reference.copy()
    predicted.flat[wrong] = case.ours.flat[wrong]
    advice = "look for what treats this index apart"
    yield Guess("entry", text, advice, predicted, len(wrong), active(case))


def entry(case: Case) -> Iterator[Guess]:
    """One entry is wrong."""
    yield from (guess for guess in entries(case) if guess.free == 1)


def listed(wrong: np.ndarray, word: str, length: int) -> str:
    """`row 15 of 16`, `rows 3, 7 of 16`, `rows 12 to 15 of 16`."""
    if len(wrong) == 1:
        return f"{word} {wrong[0]} of {length}"
    many = ", ".join(map(str, wrong[:6])) + (", ..." if len(wrong) > 6 else "")
    if len(wrong) > 2 and wrong[-1] - wrong[0] == len(wrong) - 1:
        many = f"{wrong[0]} to {wrong[-1]}"
    return f"{word}{'s' if word != 'index' else ''} {many} of {length}"


def wrong_rows(case: Case) -> tuple[int, np.ndarray] | None:
    """The axis along which the smallest share of slices is wrong, and which; at most half, and not
    if a few entries of them say more."""
    found = []
    for axis, n in enumerate(case.error.shape):
        across = tuple(a for a in range(case.error.ndim) if a != axis)
        wrong = fewest(np.sqrt((case.error**2).sum(across)), case.allowed)
        if 0 < len(wrong) <= n // 2:
            found.append((len(wrong) / n, axis, wrong))
    if not found:
        return None
    share, axis, wrong = min(found, key=lambda one: one[:2])
    scattered = len(fewest(np.abs(case.error).ravel(), case.allowed))
    few = scattered <= min(case.error.size // 50, share * case.error.size / 4)
    return None if few else (axis, wrong)


def rows(case: Case) -> Iterator[Guess]:
    """Some slices along one axis are wrong: zero, their neighbours, exchanged, scaled, or else."""
    where = wrong_rows(case)
    if where is None:
        return
    axis, wrong = where
    n, names = case.error.shape[axis], {(0, 2): "row", (1, 2): "column", (0, 1): "entry"}
    word = names.get((axis, case.error.ndim), "index")
    place = listed(wrong, word, n).replace("entrys", "entries")
    place += f" along axis {axis}" if word == "index" else ""
    ours, right = (np.moveaxis(a, axis, 0) for a in (case.ours, case.reference))
    c = float((ours[wrong] * right[wrong]).sum() / ((right[wrong] ** 2).sum() or 1.0))
    block, agree = ours[wrong].size, active(case)
    tried = [("and zero there", 0.0 * right[wrong], 0)]
    for step in (-len(wrong), len(wrong)):
        if wrong[0] + step >= 0 and wrong[-1] + step < n:
            side = "before" if step < 0 else "after"
            tried.append((f"and equal to what comes {side}", right[wrong + step], 0))
    if len(wrong) == 2:
        tried.append(("and the two are exchanged", right[wrong[::-1]], 0))
    tried += [(f"times {c:.4g}", c * right[wrong], 1), ("", ours[wrong], block)]
    for how, values, free in tried:
        predicted = right.copy()
        predicted[wrong] = values
        text = f"only {place} {'is' if len(wrong) == 1 else 'are'} wrong, {how}".rstrip(", ")
        advice = "look at the edge of a tile, a loop's last step, padding, or an index of its own"
        yield Guess("rows", text, advice, np.moveaxis(predicted, 0, axis), free, agree)


def clipped(case: Case) -> Iterator[Guess]:
    """ours = the reference clipped to [-c, c]: all wrong entries have the same magnitude."""
    c = float(np.abs(case.ours).max(initial=0.0))
    if c and np.count_nonzero(np.abs(case.reference) > c) > 1:
        predicted = np.clip(case.reference, -c, c)
        tolerance = c * min(5e-3, max(1e-4, case.allowed / norm(case.ours)))
        number = name_of(c, tolerance, case.constants, case.lengths)
        text = f"clipped: no entry is above {spelt(c, number)}, and those that should be are there"
        yield Guess("clipped", text, "something is clipped before it is complete", predicted, 1)
