"""Filters for rounding: a gradient that is right, but for a precision that is too low."""

from collections.abc import Iterator

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, norm

UNITS = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24}  # of rounding


def representable(a: np.ndarray, dtype: str) -> bool:
    """Whether every number of the array is one of that precision."""
    with np.errstate(over="ignore"):
        short = a.astype(np.float16 if dtype == "float16" else np.float32)
    if dtype == "bfloat16":
        return bool((short == a).all() and not (short.view(np.uint32) & 0xFFFF).any())
    return bool((short == a).all())


def low_precision(case: Case) -> Iterator[Guess]:
    """Every entry is a number of a lower precision, and the error is as small as that explains.

    If all other leaves are too, that is the precision of the run, and explains nothing.
    """
    varied = len(np.unique(case.ours)) > 8
    for dtype, unit in UNITS.items():
        small = norm(case.error) <= 16.0 * unit * norm(case.reference)
        usual = bool(case.others) and all(representable(g, dtype) for g, _ in case.others.values())
        rounded = representable(case.ours, dtype) and not representable(case.reference, dtype)
        if varied and small and rounded and not usual:
            text = f"every entry is a {dtype} number, and the error is no more than its rounding"
            advice = f"something is computed or accumulated in {dtype}"
            yield Guess("precision", text, advice, case.ours)
            return


def effective_entries(a: np.ndarray) -> float:
    """How many entries carry the array: (sum |a|)^2 / sum a^2, which is 1 for a single one."""
    a = np.abs(a) / (norm(a) or 1.0)
    return float(a.sum() ** 2)


def unstructured(case: Case) -> Iterator[Guess]:
    """The error is as small as the rounding of some precision leaves, spread over the leaf, and
    not along the gradient. Says so, and explains nothing: its prediction is the reference."""
    size, error = norm(case.reference), norm(case.error)
    spread = effective_entries(case.error) > max(4.0, 0.1 * case.error.size)
    if not spread or abs(np.vdot(case.error / error, case.reference / (size or 1.0))) > 0.7:
        return
    for dtype, unit in UNITS.items():
        if unit / 16.0 <= error / (size or np.inf) <= 4.0 * unit:
            text = f"the error is {error / size:.1g} of the gradient, without structure"
            advice = f"about what {dtype} rounding leaves: is something computed in {dtype}?"
            yield Guess("precision", text, advice, case.reference)
            return
