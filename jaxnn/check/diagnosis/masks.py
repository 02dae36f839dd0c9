"""Filters for masks: one that is not applied, too often, inverted, or left out of a sum."""

from collections.abc import Iterator

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, active, is_mask, laid_out, norm


def mask(case: Case) -> Iterator[Guess]:
    """A known mask was not applied, or should not have been, or was inverted."""
    for name, array in case.arrays.items():
        if not is_mask(array):
            continue
        for m in laid_out(array, case.error.shape):
            m = np.broadcast_to(m, case.error.shape)
            kept = m != 0.0
            dropped = int(np.count_nonzero(~kept & (case.ours != 0.0)))
            missing = np.where(kept, case.reference / np.where(kept, m, 1.0), case.ours)
            zero = f"not zero where {name} is" if not case.reference[~kept].any() else ""
            only = zero or f"wrong only where {name} is zero"
            agree, advice = active(case), f"the backward pass applies {name} where it should not"
            yield Guess("mask", f"the reference times {name} is ours", advice, m * case.reference)
            advice = f"the backward pass does not apply {name}"
            alike = np.where(kept, case.reference, case.ours)
            yield Guess("mask", only, advice, alike, dropped, agree)
            text = f"ours times {name} is the reference"
            yield Guess("mask", text, advice, missing, dropped, agree)
            if not case.reference[~kept].any():
                text = f"zero where {name} is not, and the other way round"
                inverted = np.where(kept, 0.0, case.ours)
                yield Guess("mask", text, f"{name} is inverted", inverted, dropped, agree)


def masked_sum(case: Case) -> Iterator[Guess]:
    """A mask was left out of a sum over examples that makes the leaf, (n, m):

    error = (f - 1) reference + a^T v,  v_kj = 0 where mask_kj is not

    for a known a (examples, n) or its transpose, a mask (examples, m) or (examples,), any v, and
    f = 1 or a constant that may be a share kept, or one over it. v is least squares.
    """
    if case.error.ndim != 2:
        return
    flat = {k: a for k, a in case.arrays.items() if a.ndim == 2 and k != case.path}
    masks = {k: a != 0.0 for k, a in case.arrays.items() if is_mask(a) and a.ndim <= 2}
    shares = {1.0} | {c for v in case.constants.values() if 0.1 <= v < 1.0 for c in (v, 1.0 / v)}
    for turned in (False, True):
        like = case.ours.T if turned else case.ours
        for a in (side for array in flat.values() for side in (array, array.T)):
            for name, m in masks.items():
                for kept in _columns(m, (len(a), like.shape[1])):
                    if len(a) > 1 and a.shape[1] == like.shape[0] and not kept.all():
                        yield from _masked_sum(case, name, a, kept, turned, shares)


def _columns(m: np.ndarray, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """The mask or its transpose laid out as (examples, columns)."""
    for side in (m, m.T) if m.ndim == 2 else (m[:, None],):
        if side.shape == shape or side.shape == (shape[0], 1):
            yield np.broadcast_to(side, shape)


def _masked_sum(
    case: Case, name: str, a: np.ndarray, kept: np.ndarray, turned: bool, shares: set[float]
) -> Iterator[Guess]:
    for f in sorted(shares, key=lambda f: abs(f - 1.0)):
        rest = case.ours - f * case.reference
        rest = rest.T if turned else rest
        made, free = np.zeros_like(rest), 0
        for j in range(rest.shape[1]):
            span = a[~kept[:, j]].T
            made[:, j] = span @ np.linalg.lstsq(span, rest[:, j], rcond=None)[0]
            free += min(span.shape)
            if j == 7 and norm((rest - made)[:, :8]) > 0.3 * norm(rest[:, :8]):
                break  # a wide leaf need not be tried to its end
        text = f"the error is a sum over what {name} leaves out"
        text += f", beside the factor {f:.4g}" if f != 1.0 else ""
        advice = f"the backward pass does not apply {name} on the way to this gradient"
        predicted = f * case.reference + (made.T if turned else made)
        yield Guess("mask", text, advice, predicted, free)
