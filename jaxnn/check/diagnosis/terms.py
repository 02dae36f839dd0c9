"""Filters for terms: an error made of known arrays, alone, in pairs, or inside a mean."""

from collections.abc import Iterator
from math import prod

import numpy as np

from jaxnn.check.diagnosis.case import (
    Case,
    Guess,
    axis_sets,
    axis_words,
    contractions,
    fit,
    fit_all,
    laid_out,
    outside,
)


def bases(case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """Known arrays that an error may be made of: shaped like the leaf, or contracted to it."""
    yield from ((k, a) for k, a in case.arrays.items() if a.shape == case.error.shape)
    yield from contractions(case)


def term(case: Case) -> Iterator[Guess]:
    """ours = reference + c array, with one c, or one for every index of some axes.

    The array is known, as it is or less its mean along the axes that c is constant on.
    """
    found = list(bases(case))
    for axes in axis_sets(case.error.shape):
        for name, base in found:
            centred = base - base.mean(axes, keepdims=True)
            for array, what in ((base, name), (centred, f"{name} less its mean")):
                if what != name and prod(base.shape[a] for a in axes) < 4:
                    continue  # any two or three numbers of mean zero look alike
                c, free = fit(case.error, array, axes)
                where = outside(case, axes)
                each = f", with a factor for every index of {where}" if free > 1 else ""
                text = f"the error is a multiple of {what}{each}"
                advice = f"a term with {name} is missing, or has the wrong factor"
                yield Guess("term", text, advice, case.reference + c * array, free)


def two_terms(case: Case) -> Iterator[Guess]:
    """error = c base + d other, fitted together: two faults, or one that shows twice."""
    found = [("term", name, base) for name, base in bases(case)]
    own, one = ("feature", "the gradient itself", case.reference), ("mean", "a constant", 1.0)
    pairs = [(own, one), *((one, other) for other in found), *((own, other) for other in found)]
    for axes in axis_sets(case.error.shape):
        for (kind, name, first), (_, other, second) in pairs:
            made, free = fit_all(case.error, (first, second), axes)
            where = outside(case, axes)
            each = f", with factors for every index of {where}" if free > 2 else ""
            text = f"the error is made of {name} and {other}{each}"
            advice = "two terms are wrong, or one that enters twice: a mean and a variance, an eps"
            kind = "scale" if kind == "feature" and free == 2 else kind
            yield Guess(kind, text, advice, case.reference + made, free)


def factor_inside(case: Case) -> Iterator[Guess]:
    """The cotangent dy lacks a factor f inside a normalisation, where f is inside the means too:

        error = c (f - 1) dy + d + e b      for known b shaped like the leaf, and f that is not

    with numbers c, d, e for every index outside the axes that are normalised.
    """
    shape, dy = case.error.shape, case.arrays.get("dy")
    if dy is None or dy.shape != shape:
        return
    for axes in axis_sets(shape):
        for name, array in case.arrays.items():
            for f in laid_out(array, shape) if array.shape != shape else ():
                for b in (b for b in case.arrays.values() if b.shape == shape):
                    made, free = fit_all(case.error, ((f - 1.0) * dy, 1.0, b), axes)
                    where = f"inside the means along {axis_words(axes)}"
                    text = f"the cotangent lacks the factor {name}, or has it twice, {where}"
                    advice = f"multiply by {name} before the means are taken"
                    yield Guess("feature", text, advice, case.reference + made, free)
