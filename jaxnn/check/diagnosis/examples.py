"""Filters for single examples: one left out, counted twice, the only one, or wrong by itself."""

from collections.abc import Iterator

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, is_mask, norm

ADVICE = "look at the ends of the loop or sum over the batch"


def singles(case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """(name, gradients of single examples, (examples, *shape)), where they are known: given as
    such, or a known array that is summed over its leading axes, as the cotangent for a bias."""
    if case.each is not None and case.each.shape[1:] == case.error.shape:
        yield "", case.each
    rank = case.error.ndim
    for name, a in case.arrays.items():
        if a.ndim > rank and a.shape[a.ndim - rank :] == case.error.shape and not is_mask(a):
            yield f" (by {name})", a.sum(tuple(range(1, a.ndim - rank)))


def example(case: Case) -> Iterator[Guess]:
    """error = c times the gradient of one example: left out (-1), counted twice (1); or ours is
    that of one example alone."""
    for name, each in singles(case):
        flat = each.reshape(len(each), -1)
        power = (flat**2).sum(1)
        live = power > 0.0
        for base, target in ((case.reference, case.error), (0.0 * case.ours, case.ours)):
            along = flat @ target.ravel()
            left = norm(target) ** 2 - along**2 / np.where(live, power, 1.0)
            i = int(np.where(live, left, np.inf).argmin())
            c = float(along[i] / power[i]) if live[i] else 0.0
            whole = abs(abs(c) - 1.0) < 1e-2
            c = float(np.sign(c)) if whole else c
            if base is case.reference:
                how = {-1.0: "is left out", 1.0: "counts twice"}.get(c)
                how = how or f"counts {1.0 + c:.4g} times"
            else:
                how = "is the only one" if c == 1.0 else f"is the only one, times {c:.4g}"
            text = f"example {i} of {len(each)} {how}{name}"
            predicted = base + c * each[i]
            yield Guess("example", text, ADVICE, predicted, int(not whole))


def one_row(case: Case) -> Iterator[Guess]:
    """error = a_i v^T, or its transpose, for row i of a known array (examples, n) and any v: only
    that example's part in the sum over the batch is wrong."""
    if case.error.ndim != 2:
        return
    for name, a in case.arrays.items():
        for turned in (False, True):
            e = case.error.T if turned else case.error
            if a.ndim == 2 and a.shape[1] == len(e) and len(a) > 1 and name != case.path:
                power, along = (a**2).sum(1), a @ e
                gain = (along**2).sum(1) / np.where(power > 0.0, power, np.inf)
                i = int(gain.argmax())
                made = np.outer(a[i], along[i]) / (power[i] or 1.0)
                text = f"only the part of example {i} of {len(a)} is wrong (by {name})"
                predicted = case.reference + (made.T if turned else made)
                yield Guess("example", text, ADVICE, predicted, e.shape[1])
