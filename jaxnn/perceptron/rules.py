"""The perceptron: a threshold unit that learns by correcting one misclassified point at a time.

Labels of two classes are 0 and 1, or -1 and +1; in the equations y is -1 or +1. A point is right
where its margin y (x w + b) is above 0. One exactly on the boundary is a mistake, whatever its
label, so what a separator says of its points does not depend on the output of a unit at 0.

Shapes: x (n, k) of a floating dtype, y (n,); w (k,) and b (), or w (k, classes) and b (classes,).
With bias=False b is None; on `homogeneous(x)` that is the same unit again, and it learns the same.

Training starts from zero. Every function raises TypeError for an x that is not floating point,
and ValueError for other shapes and labels, and for a limit or a number of epochs that is not a
whole number. Labels inside your own jit cannot be seen: those above 0 are +1, all others -1.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnn.core.parameters import Affine
from jaxnn.core.refusals import is_concrete
from jaxnn.perceptron.threshold import check_points, homogeneous, signs, some, weighted_sum


class Fit(NamedTuple):
    """The boundary x w + b = 0 that training returned, and how it went.

    `mistakes` counts the corrections made; `wrong` the points that are not on their side of this
    boundary, those on it included. Printed, it says in words whether it separates the points.
    """

    w: Any
    b: Any
    mistakes: Any
    wrong: Any

    @property
    def separated(self) -> Any:
        """Whether every point is on its side of the boundary."""
        return self.wrong == 0

    def __str__(self) -> str:
        if self.separated:
            return f"separated: every point is on its side (mistakes: {self.mistakes})"
        return (
            f"not separated: points not on their side: {self.wrong} (mistakes: {self.mistakes}); "
            "there may be no separator, or training ended too early"
        )


def train_perceptron(x: Any, y: Any, *, limit: int = 10_000, bias: bool = True) -> Fit:
    """Correct one misclassified point at a time, until none is left or `limit` were corrected.

        w <- w + y x,    b <- b + y    for a point with y (x w + b) <= 0

    The point is the next misclassified one behind the last, in the order of the rows, around and
    around. Where there is a separator, one is found after at most `novikoff_bound` mistakes; where
    there is none, training ends at the limit and the result is not `separated`.
    Source: Rosenblatt 1958; Novikoff 1962.
    """
    x, y = check_points(x, y)
    _check_whole("limit", limit, 0)
    return _train(_two, x, signs(y, x.dtype), _zeros(x, (), bias), limit, None)[0]


def train_pocket_perceptron(
    x: Any, y: Any, key: Any, *, limit: int = 10_000, bias: bool = True
) -> Fit:
    """As `train_perceptron`, but return the best weights met on the way: for points without a
    separator.

    The point to correct is drawn from the misclassified ones, by `key`. The weights in the pocket
    are replaced by those that leave fewer points wrong. This is the pocket algorithm with ratchet,
    but for counting the wrong points after every correction, and not only after long runs without
    one. `mistakes` counts all corrections. Source: Gallant 1990.
    """
    x, y = check_points(x, y)
    _check_whole("limit", limit, 0)
    return _train(_two, x, signs(y, x.dtype), _zeros(x, (), bias), limit, key)[1]


def train_averaged_perceptron(x: Any, y: Any, *, epochs: int = 10, bias: bool = True) -> Fit:
    """The mean of the weights after each visit of a point, where mistakes are corrected.

        w <- w + y x if y (x w + b) <= 0,    b likewise;    mean = sum of w over visits / visits

    Each epoch visits all rows in order. Weights that make no mistake for long have a large share
    in the mean, which is steadier than the last weights. Source: Freund and Schapire 1999.
    """
    x, y = check_points(x, y)
    _check_whole("epochs", epochs, 1)
    return _average(x, signs(y, x.dtype), _zeros(x, (), bias), epochs)


def train_multiclass_perceptron(
    x: Any, y: Any, classes: int, *, limit: int = 10_000, bias: bool = True
) -> Fit:
    """Weights for each class; a mistake adds the point to its class and takes it from a rival.

        w_y <- w_y + x,    w_r <- w_r - x    for a point with x w_y + b_y <= x w_r + b_r
        r = argmax over the classes other than y of x w_r + b_r; b_y + 1 and b_r - 1 likewise

    y holds whole numbers in [0, classes). The class of a point is the argmax of x w + b. A tie of
    its own class with another is a mistake, and the first of equal rivals is taken. Points come in
    the order of `train_perceptron`.
    Source: Duda and Hart 1973, section 5.12 (Kesler's construction); Crammer and Singer 2003.
    """
    x, y = check_points(x, y)
    _check_whole("limit", limit, 0)
    _check_whole("classes", classes, 2)
    whole = jnp.issubdtype(y.dtype, jnp.integer)
    if not whole or (is_concrete(y) and not ((y >= 0) & (y < classes)).all()):
        raise ValueError(
            f"expected labels that are whole numbers in [0, {classes}), got {some(y)} ({y.dtype})"
        )
    return _train(_several, x, y, _zeros(x, (classes,), bias), limit, None)[0]


def novikoff_bound(x: Any, y: Any, w: Any, b: Any = None) -> Any:
    """How many mistakes `train_perceptron` can make at most, known any separator w (k,), b ().

        (R / gamma)^2,    R = max |x|,    gamma = min y x w / |w|

    With a bias, x is [x, 1] and w is [w; b] here, as the bias is the weight of an input 1. The
    larger the margin gamma of the separator, the lower the bound. Raises ValueError for w and b
    that do not separate the points; inside your own jit the bound is inf then.
    Source: Novikoff 1962.
    """
    x, y = check_points(x, y)
    w = jnp.asarray(w, x.dtype)
    if w.shape != x.shape[1:]:
        raise ValueError(f"expected w of shape {x.shape[1:]} to fit x {x.shape}, got {w.shape}")
    if b is not None:
        x, w = homogeneous(x), jnp.append(w, jnp.asarray(b, x.dtype))
    gamma = (signs(y, x.dtype) * weighted_sum(x, w, None)).min() / jnp.linalg.norm(w)
    if is_concrete(gamma) and not gamma > 0:
        raise ValueError(
            f"expected w and b that separate the points, got a smallest margin of {gamma}; "
            "take them from a result that is separated"
        )
    radius = jnp.linalg.norm(x, axis=-1).max()
    return jnp.where(gamma > 0, (radius / gamma) ** 2, jnp.inf)


def _check_whole(name: str, value: Any, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**31:
        raise ValueError(f"expected {name} to be a whole number >= {low}, got {value!r}")


def _zeros(x: Any, outputs: tuple[int, ...], bias: bool) -> Affine:
    w = jnp.zeros((x.shape[1], *outputs), x.dtype)
    return Affine(w, jnp.zeros(outputs, x.dtype) if bias else None)


# A judge takes scores and labels, and gives the margins, and what a mistake adds to the bias.
Judge = Callable[[Any, Any], tuple[Any, Any]]


def _two(scores: Any, y: Any) -> tuple[Any, Any]:
    return y * scores, y


def _several(scores: Any, y: Any) -> tuple[Any, Any]:
    n = scores.shape[-1]
    own = jax.nn.one_hot(y, n, dtype=scores.dtype)
    others = jnp.where(own > 0, -jnp.inf, scores)
    rival = jax.nn.one_hot(jnp.argmax(others, -1), n, dtype=scores.dtype)
    return (own * scores).sum(-1) - others.max(-1), own - rival


def _corrected(params: Affine, x: Any, change: Any) -> Affine:
    """The parameters after a mistake at the single point x (k,)."""
    w, b = params
    return Affine(w + jnp.multiply.outer(x, change), None if b is None else b + change)


class _State(NamedTuple):
    """Between two corrections: the weights now, the best so far, and what picks the next point."""

    now: Fit
    best: Fit
    wrong: Any
    next: Any
    key: Any


def _pick(state: _State) -> tuple[Any, Any]:
    """(row, key) of a misclassified point: the next in order, or drawn where there is a key."""
    n = len(state.wrong)
    if state.key is None:
        distance = (jnp.arange(n) - state.next) % n
        return jnp.argmin(jnp.where(state.wrong, distance, n)), None
    key, draw = jax.random.split(state.key)
    lot = jax.random.uniform(draw, (n,))
    return jnp.argmax(jnp.where(state.wrong, lot, -1)), key


@partial(jax.jit, static_argnames="judge")
def _train(judge: Judge, x: Any, y: Any, start: Affine, limit: Any, key: Any) -> tuple[Fit, Fit]:
    """The last weights and the best ones, met while correcting points that `_pick` picks."""

    def fit(params: Affine, mistakes: Any) -> tuple[Fit, Any]:
        margins, _ = judge(weighted_sum(x, *params), y)
        wrong = ~(margins > 0)  # so that a margin of nan is wrong too
        return Fit(*params, mistakes, wrong.sum()), wrong

    def correct(state: _State) -> _State:
        i, key = _pick(state)
        params = Affine(state.now.w, state.now.b)
        _, change = judge(weighted_sum(x[i], *params), y[i])
        now, wrong = fit(_corrected(params, x[i], change), state.now.mistakes + 1)
        better = now.wrong < state.best.wrong
        best = jax.tree.map(partial(jnp.where, better), now, state.best)
        return _State(now, best, wrong, i + 1, key)

    def unfinished(state: _State) -> Any:
        return (state.now.wrong > 0) & (state.now.mistakes < limit)

    first, wrong = fit(start, jnp.asarray(0))
    state = _State(first, first, wrong, jnp.asarray(0), key)
    end = jax.lax.while_loop(unfinished, correct, state)
    return end.now, end.best._replace(mistakes=end.now.mistakes)


@jax.jit
def _average(x: Any, y: Any, start: Affine, epochs: Any) -> Fit:
    def visit(carry: Any, point: Any) -> tuple[Any, None]:
        (params, total, mistakes), (row, label) = carry, point
        margin, change = _two(weighted_sum(row, *params), label)
        wrong = ~(margin > 0)
        params = _corrected(params, row, jnp.where(wrong, change, 0))
        return (
            params,
            jax.tree.map(jnp.add, total, params),
            mistakes + jnp.where(wrong, 1, 0),
        ), None

    def epoch(_: Any, carry: Any) -> Any:
        return jax.lax.scan(visit, carry, (x, y))[0]

    _, total, mistakes = jax.lax.fori_loop(0, epochs, epoch, (start, start, jnp.asarray(0)))
    mean: Affine = jax.tree.map(lambda sum_of: sum_of / (epochs * len(x)), total)
    margins, _ = _two(weighted_sum(x, *mean), y)
    return Fit(*mean, mistakes, (~(margins > 0)).sum())
