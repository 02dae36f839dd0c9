"""The limit of central differences as the step goes to 0, with an honest error.

Along a direction v the steps are t_k = s / 8^k, k = 1 ... 9, and

    D_k = (f(x + t_k v) - f(x - t_k v)) / (2 t_k) = f'(x) v + c_2 t_k^2 + c_4 t_k^4 + ...

Two Richardson extrapolations take away the terms in t^2 and t^4. Of all entries of the tableau the
one of the smallest estimated error is kept. That error is the sum of three:

    truncation  how far the entry is from the order below, the next finer step, and every finer D
                so far as that stands out of its noise
    rounding    noise / t_k; the noise of f is measured by the scatter of D at the finest steps
    kink        what is left of (f(x + t v) - 2 f(x) + f(x - t v)) / t as t goes to 0: the slope on
                the right minus that on the left, 0 where f has a derivative

The last one is what central differences alone cannot see: at a kink both sides average, at every
step alike. Source: Richardson 1911; Ridders 1982, for the choice within the tableau.
"""

import numpy as np

RATIO, RUNGS = 8.0, 9
UNIT = float(np.finfo(np.float64).eps) / 2


def ladder(scale: float) -> np.ndarray:
    """The steps, coarse to fine: s/8 down to s/8^9 = 7e-9 s."""
    return scale * RATIO ** -np.arange(1.0, RUNGS + 1)


def extrapolate(steps: np.ndarray, odd: np.ndarray, even: np.ndarray, size: float) -> tuple:
    """(f'(x) v, estimated norm of its error): arrays (n,) and a number.

    odd (k, n): f(x + t v) - f(x - t v) for each of the k steps; even (k, n):
    f(x + t v) - 2 f(x) + f(x - t v); size: the norm of f(x). Where f is finite on too few steps to
    tell, the value is nan and the error inf.
    """
    with np.errstate(all="ignore"):
        orders = _tableau(steps, odd)
        noise = _noise(steps, odd, even, size)
        kinks = _kinks(steps, even, noise)
        best = np.full(odd.shape[1], np.nan), float("inf")
        for order in range(1, len(orders)):
            entries, lower, finer = orders[order][:-1], orders[order - 1][1:-1], orders[order][1:]
            errors = np.maximum(_norms(entries - lower), _norms(entries - finer))
            for i, (entry, error) in enumerate(zip(entries, errors, strict=True)):
                k = i + order
                far = _norms(entry - orders[0][k + 1 :]) - noise[k + 1 :]
                total = max(error, far.max()) + noise[k] + kinks[k]
                if total < best[1]:  # never so for nan
                    best = entry, float(total)
    return best


def _tableau(steps: np.ndarray, odd: np.ndarray) -> list[np.ndarray]:
    """D, and its extrapolations in t^2 and t^4: entry i of order j ends at step i + j."""
    orders = [odd / (2 * steps[:, None])]
    for power in (2, 4):
        weight, last = RATIO**power, orders[-1]
        orders.append((weight * last[1:] - last[:-1]) / (weight - 1))
    return orders


def _noise(steps: np.ndarray, odd: np.ndarray, even: np.ndarray, size: float) -> np.ndarray:
    """How far rounding moves D at each step: at least 4 units of |f|, or what the finest show.

    A function that rounds its input, if only to float32 or bfloat16, stands still on fine steps,
    which looks like a derivative of exactly 0: there the noise is the smallest change seen at all.
    One that stands still from the second step on, s/64, is flat: no such rounding is that coarse.
    """
    d = odd / (2 * steps[:, None])
    scatter = _norms(d[-3:] - d[-4:-1]) * steps[-3:]
    changes = np.maximum(_norms(odd), _norms(even))[1:]
    quantum = changes[changes > 0].min(initial=np.inf) if changes[-1] == 0 else 0.0
    quantum = quantum if np.isfinite(quantum) else 0.0
    return 4 * max(UNIT * size, quantum, float(np.median(scatter))) / steps


def _kinks(steps: np.ndarray, even: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The jump of the slope within each step, as far as it stands out of the noise."""
    e = even / steps[:, None]
    jumps = _norms(RATIO * e[1:] - e[:-1]) / (RATIO - 1)
    return np.array([np.inf, *np.maximum(jumps - noise[1:], 0.0)])


def _norms(rows: np.ndarray) -> np.ndarray:
    """The Euclidean norm of every row, scaled so that no square leaves the range of floats."""
    top = np.abs(rows).max(axis=-1, initial=0.0, keepdims=True)
    top = np.where(np.isfinite(top) & (top > 0), top, 1.0)
    return top[..., 0] * np.sqrt(((rows / top) ** 2).sum(axis=-1))
