"""Filters that fit numbers: one factor for everything, or one for every index of some axes.

All solve error = c base by least squares, one c for every index outside a set of axes:

    base       the reference   the parameter   1      a known array
    kind       scale, feature  decay           mean   term (in `filters_terms`)
"""

import math
from collections.abc import Iterator

import numpy as np

from jaxnn.check.diagnosis.case import (
    Case,
    Guess,
    axis_sets,
    axis_words,
    fit,
    is_mask,
    laid_out,
    norm,
    outside,
)
from jaxnn.check.diagnosis.numbers import Number, name_of

POWERS = {1.0: "{}", -1.0: "1/{}", 2.0: "{}^2", -2.0: "1/{}^2", 0.5: "sqrt({})", -0.5: "1/sqrt({})"}


def named(
    case: Case, c: float, base: np.ndarray, neutral: float, unit: float = 1.0
) -> Number | None:
    """The name of c / unit, c the factor of `base`, if one is close enough to explain as much.

    `neutral` is the c of a right gradient: a factor of 1.01 is named to a part of its 0.01. A
    factor that explains little has no name.
    """
    left = norm(case.error - (c - neutral) * base)
    off = min(abs(c), abs(c - neutral))
    if left > 0.2 * norm(case.error):
        return None
    tolerance = min(5e-3 * off, max(left / norm(base), 1e-4 * off))
    return name_of(c / unit, tolerance / abs(unit), case.constants, case.lengths)


def spelt(c: float, number: Number | None) -> str:
    """`0.8 = keep`, `-0.03 = -1/33 (33 = length of axis 0 of x)`, or the number alone."""
    digits = f"{c:.4g}"
    name = ("-" if c < 0 else "") + str(number)
    if number is None or name == digits:
        return digits
    return f"{digits} = {name}" + (f" ({number.note})" if number.note else "")


def scale(case: Case) -> Iterator[Guess]:
    """ours = c reference, with c named if it has a name."""
    g = case.reference
    change, used = fit(case.error, g, tuple(range(g.ndim)))
    c = 1.0 + float(change.reshape(()))
    if not used or c == 0.0:
        return
    number = named(case, c, g, 1.0)
    if number:
        exact = math.copysign(number.value, c)
        kind = "upstream" if str(number) == "1/dy" else "scale"
        advice = f"the backward pass multiplies by {number} once too often, or lacks a factor"
        advice = f"{advice} {number.inverse}"
        if kind == "upstream":
            advice = "the backward pass ignores the upstream gradient"
        yield Guess(
            kind, f"off by the factor {spelt(exact, number)}", advice, exact * g, rule=(exact, 0.0)
        )
    advice = "a constant factor is missing or too many; name candidates in `constants`"
    yield Guess("scale", f"off by the factor {spelt(c, None)}", advice, c * g, 1, rule=(c, 0.0))


def decay(case: Case) -> Iterator[Guess]:
    """ours = reference + c parameter, or c its sign: weight decay missing, doubled or misplaced.

    c is proportional to the cotangent, if that is one number, and is named less that factor.
    """
    unit = case.constants.get("dy") or 1.0
    for path, w in case.arrays.items():
        if w.shape != case.error.shape or (path != case.path and path not in case.others):
            continue
        owner = "the parameter" if path == case.path else path
        for base, what in ((w, owner), (np.sign(w), f"the sign of {owner}")):
            change, used = fit(case.error, base, tuple(range(w.ndim)))
            c = float(change.reshape(())) / unit
            number = named(case, c * unit, base, 0.0, unit) if used else None
            if not used or (path != case.path and number is None):
                continue  # multiples of other parameters are terms, unless the factor has a name
            c = math.copysign(number.value, c) if number else c
            text = f"the error is {spelt(c, number)} times {what}"
            text += " times the cotangent" if unit != 1.0 else ""
            advice = "weight decay counted twice, or where there should be none?"
            advice = "weight decay missing?" if c < 0 else advice
            predicted, free = case.reference + c * unit * base, int(number is None)
            rule = (1.0, c * unit) if base is w and path == case.path else None
            yield Guess("decay", text, advice, predicted, free, rule=rule)


def mean(case: Case) -> Iterator[Guess]:
    """ours = reference + c, the same c all along some axes: a mean or a sum is missing."""
    for axes in axis_sets(case.error.shape):
        c, free = fit(case.error, np.ones(()), axes)
        text = f"the error is the same all along {axis_words(axes)}"
        advice = f"a mean or sum over {axis_words(axes)} is missing, or too many"
        yield Guess("mean", text, advice, case.reference + c, free)
    if case.error.ndim == 2:
        for name, a in case.arrays.items():
            if a.ndim > 1 and a.shape[-1] == case.error.shape[0] and name != case.path:
                base = a.reshape(-1, a.shape[-1]).sum(0)[:, None]
                c, free = fit(case.error, base, (0,))
                text = f"the error is the sum of {name} times a row: the same for every example"
                advice = "a mean over the batch is missing in the delta of this layer"
                yield Guess("mean", text, advice, case.reference + c * base, free)


def constant(case: Case) -> Iterator[Guess]:
    """ours is the same all along some axes, which the reference is not: an average, or one entry
    laid out over all."""
    for axes in axis_sets(case.ours.shape):
        c, free = fit(case.ours, np.ones(()), axes)
        predicted = c + 0.0 * case.ours
        if norm(case.ours - predicted) <= case.allowed:
            text = f"the same all along {axis_words(axes)}, which the right gradient is not"
            advice = "one entry, or an average, is broadcast where each has its own"
            yield Guess("mean", text, advice, predicted, free, case.ours.size)


def named_factors(case: Case) -> Iterator[tuple[str, str, np.ndarray]]:
    """(name, inverse, array that broadcasts over the leaf) for powers of known arrays, and for
    products and quotients of two of one shape."""
    arrays = {k: a for k, a in case.arrays.items() if not is_mask(a)}
    arrays = {k: np.where(a == 0.0, 1.0, a) for k, a in arrays.items()}  # nothing is divided by 0
    for name, a in arrays.items():
        for power, form in POWERS.items():
            if power in (0.5, -0.5) and not np.all(a > 0):
                continue
            for factor in laid_out(a**power, case.error.shape):
                yield form.format(name), _inverse(form).format(name), factor
    for k, a in arrays.items():
        for j, b in arrays.items():
            if k < j and a.squeeze().shape == b.squeeze().shape:
                a, b = a.squeeze(), b.squeeze()
                product, ratio = (f"{k}*{j}", f"1/({k}*{j})"), (f"{k}/{j}", f"{j}/{k}")
                for (name, inverse), value in ((product, a * b), (ratio, a / b)):
                    for factor in laid_out(value, case.error.shape):
                        yield name, inverse, factor
                        yield inverse, name, 1.0 / factor


def _inverse(form: str) -> str:
    return form.removeprefix("1/") if form.startswith("1/") else f"1/{form}"


def known_feature(case: Case) -> Iterator[Guess]:
    """ours = factor * reference, entry by entry, for a power or product of known arrays."""
    for name, inverse, factor in named_factors(case):
        kind = "upstream" if name == "1/dy" else "feature"
        advice = f"the backward pass multiplies by {name} once too often, or lacks {inverse}"
        if kind == "upstream":
            advice = "the backward pass ignores the upstream gradient"
        yield Guess(kind, f"off by the factor {name}", advice, factor * case.reference)


def feature(case: Case) -> Iterator[Guess]:
    """ours = f reference, with an f for every index of some axes, which nothing known explains."""
    for axes in axis_sets(case.error.shape)[1:]:
        change, free = fit(case.error, case.reference, axes)
        f = 1.0 + change
        where = outside(case, axes)
        text = f"off by a factor for every index of {where}, from {f.min():.4g} to {f.max():.4g}"
        advice = f"look for what has one number for every index of {where}: a scale, a std, an eps"
        yield Guess("feature", text, advice, f * case.reference, free)
