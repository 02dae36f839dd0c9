"""The list of filters, the simplest explanation first, and those that look at a leaf as a whole.

A filter is a function of a `Case` that yields guesses at what the gradient is instead. It need not
judge them: `jaxnn.check.diagnosis` does.
"""

from collections.abc import Callable, Iterator

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, norm
from jaxnn.check.diagnosis.examples import example, one_row
from jaxnn.check.diagnosis.fits import constant, decay, feature, known_feature, mean, scale
from jaxnn.check.diagnosis.masks import mask, masked_sum
from jaxnn.check.diagnosis.moves import permuted, swapped, transposed, wrong_side
from jaxnn.check.diagnosis.places import clipped, entries, entry, rows
from jaxnn.check.diagnosis.rounding import low_precision
from jaxnn.check.diagnosis.terms import factor_inside, term, two_terms

Filter = Callable[[Case], Iterator[Guess]]


def zero(case: Case) -> Iterator[Guess]:
    """ours = 0."""
    if norm(case.ours) <= case.allowed:
        text, advice = "zero everywhere", "it is never computed, or is multiplied away"
        yield Guess("zero", text, advice, 0.0 * case.reference, rule=(0.0, 0.0))


def sign(case: Case) -> Iterator[Guess]:
    """ours = -reference."""
    text, advice = "of the opposite sign", "a minus sign is missing or too many"
    yield Guess("sign", text, advice, -case.reference, rule=(-1.0, 0.0))


def composed(case: Case) -> Iterator[Guess]:
    """Two causes, one after the other: moved and scaled, masked and scaled, sign and decay."""
    ratio = norm(case.ours) / (norm(case.reference) or np.inf)
    alike = case.instead(ratio * case.reference)  # of our size, so that moves can be recognised
    for move in (transposed, wrong_side, permuted) if ratio else ():
        for first in move(alike):
            yield from _then(case, first._replace(predicted=first.predicted / ratio), scale)
    for change in (swapped, mask, known_feature):
        for first in change(case):
            if not first.free:
                yield from _then(case, first, scale)
    for first in sign(case):
        for second in (decay, mean):
            yield from _then(case, first, second)


def _then(case: Case, first: Guess, filter: Filter) -> Iterator[Guess]:
    for second in filter(case.instead(first.predicted)):
        if second.kind == "scale" and second.rule and abs(second.rule[0] - 1.0) < 1e-3:
            continue  # then the first says it all
        text, advice = f"{first.text}, and {second.text}", f"{first.advice}; {second.advice}"
        free = first.free + second.free
        yield Guess(first.kind, text, advice, second.predicted, free)


FILTERS: tuple[Filter, ...] = (
    *(zero, sign, scale, transposed, wrong_side, permuted, decay),
    *(mask, entry, rows, clipped, constant, known_feature, swapped, example, one_row),
    *(mean, term, feature, masked_sum, entries),
)
PAIRS: tuple[Filter, ...] = (composed, two_terms, factor_inside)
ROUNDING: tuple[Filter, ...] = (low_precision,)
