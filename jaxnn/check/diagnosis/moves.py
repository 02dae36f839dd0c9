"""Filters for right numbers in the wrong place: transposed, reversed, rolled, another leaf's."""

from collections.abc import Iterator
from itertools import combinations, permutations

import numpy as np

from jaxnn.check.diagnosis.case import Case, Guess, axis_words, contractions, norm


def long_axes(a: np.ndarray) -> list[int]:
    """The axes along which there is more than one entry."""
    return [axis for axis, length in enumerate(a.shape) if length > 1]


def transposed(case: Case) -> Iterator[Guess]:
    """ours = the reference with two axes exchanged."""
    g = case.reference
    for i, j in combinations(long_axes(g), 2):
        if g.shape[i] == g.shape[j]:
            text = "transposed" if g.ndim == 2 else f"transposed: axes {i} and {j} are exchanged"
            advice = "the product that makes it has its factors, or their indices, exchanged"
            yield Guess("transposed", text, advice, g.swapaxes(i, j))


def wrong_side(case: Case) -> Iterator[Guess]:
    """ours = d w where the reference is d w^T, for a known square w (n, n) that can be inverted:
    ours = reference (w^T)^-1 w. Or the other way round, for those who write y = x w^T."""
    g = case.reference
    for name, w in case.arrays.items():
        if g.ndim < 2 or w.shape != (g.shape[-1],) * 2:
            continue
        try:
            inverse = np.linalg.inv(w)
        except np.linalg.LinAlgError:
            continue
        if norm(w) * norm(inverse) > 1e6:
            continue  # rounding would be magnified too much to recognise anything
        text = f"transposed: multiplied by {name} where its transpose belongs"
        advice = f"the error is to go back through the transpose of {name}"
        for through in (inverse.T @ w, inverse @ w.T):
            yield Guess("transposed", text, advice, g @ through)


def permuted(case: Case) -> Iterator[Guess]:
    """ours = the reference with axes permuted, reversed, or rolled. A leaf whose size (norm) is
    another one is no permutation, which saves the search."""
    g, axes = case.reference, long_axes(case.reference)
    if abs(norm(case.ours) - norm(g)) > 0.5 * norm(case.error):
        return
    for order in permutations(range(g.ndim)):
        moved = sum(i != axis for i, axis in enumerate(order))
        if moved > 2 and tuple(g.shape[axis] for axis in order) == g.shape:
            text = f"its axes are permuted: {order}"
            advice = "a transpose takes the axes in the wrong order"
            yield Guess("permuted", text, advice, g.transpose(order))
    for size in range(1, len(axes) + 1):
        for chosen in combinations(axes, size):
            text = f"reversed along {axis_words(chosen)}"
            advice = "a flip is missing or too many, as of a convolution's kernel"
            yield Guess("permuted", text, advice, np.flip(g, chosen))
    for axis in axes:
        yield from _rolled(case, axis)


def _rolled(case: Case, axis: int) -> Iterator[Guess]:
    """The roll along `axis` at which the two agree best, with and without what comes round."""
    g, n = case.reference, case.reference.shape[axis]
    ours, right = (np.fft.rfft(a, axis=axis) for a in (case.ours, g))
    others = tuple(a for a in range(g.ndim) if a != axis)
    step = int(np.fft.irfft((ours * right.conj()).sum(others), n).argmax())
    if not step:
        return
    around = np.roll(g, step, axis)
    step = step if step <= n // 2 else step - n
    text = f"rolled by {step} along axis {axis}"
    advice = "an index is off, as of a label, a time step or an id"
    yield Guess("permuted", text, advice, around)
    cut = np.moveaxis(around.copy(), axis, 0)
    cut[slice(None, step) if step > 0 else slice(step, None)] = 0.0
    text = f"shifted by {step} along axis {axis}, with zeros at the end"
    yield Guess("permuted", text, advice, np.moveaxis(cut, 0, axis))


def swapped(case: Case) -> Iterator[Guess]:
    """ours = the gradient of another leaf, or a known array, or a contraction of two."""
    for path, (ours, reference) in case.others.items():
        for g, how in ((reference, ""), (reference.T, " transposed")):
            if g.shape == case.ours.shape and (g is reference or g.ndim > 1):
                mutual = ours.shape == case.ours.shape
                mutual = mutual and norm(ours - case.reference) <= 0.03 * norm(ours - reference)
                text = f"exchanged with {path}" if mutual else f"equal to the gradient of {path}"
                advice = "look at the order in which the gradients are returned"
                yield Guess("swapped", text + how, advice, g)
    advice = "a factor or a term is missing: this is what is left without it"
    for name, a in case.arrays.items():
        if a.shape == case.ours.shape and name != case.path:
            yield Guess("swapped", f"equal to {name} itself", advice, a)
    for name, a in contractions(case):
        text = f"equal to {name}, which the right gradient is not"
        yield Guess("swapped", text, "look at what enters the product or sum", a)
