"""Mistakes planted in arrays, as the backward passes of small layers would make them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jaxnn.check.diagnosis.diagnosis import Evidence

B, N, M, KEEP, LAMBDA, VALID, SMOOTHING = 13, 5, 7, 0.8, 0.01, 11, 0.1
CONSTANTS = {"batch": B, "keep": KEEP, "lambda": LAMBDA, "n_valid": VALID, "heads": 12, "groups": 4}
NOISE = {"float64": 1e-16, "float32": 6e-8, "bfloat16": 4e-3}  # of every entry, relative


def bfloat16(a):
    """Rounded to bfloat16, half away from zero."""
    bits = a.astype(np.float32).view(np.uint32) + np.uint32(0x8000)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


class World:
    """Right gradients of small layers, drawn anew: what is in them, and what is known of them."""

    def __init__(self, seed):
        rng = np.random.default_rng([seed, 1])
        r = lambda *shape: rng.normal(size=shape)  # noqa: E731
        self.rng, self.x, self.dy, self.z = rng, r(B, N), r(B, M), r(B, M)
        self.w, self.v, self.b, self.gamma = r(N, M), r(M, M), r(M), r(M)
        self.h, self.dh = self.x @ self.w, self.dy @ self.v.T
        self.mask = (rng.random((B, M)) < KEEP) * 1.0
        self.valid = np.repeat([1.0, 0.0], [VALID, B - VALID])[:, None]
        self.centred = self.z - self.z.mean(0)
        self.inv_std = self.centred.std(0) ** -1.0
        self.xhat = self.centred * self.inv_std
        self.d = self.gamma * self.dy
        self.onehot = np.eye(M)[rng.integers(M, size=B)]
        self.p = np.exp(self.z) / np.exp(self.z).sum(1, keepdims=True)
        self.q, self.k = r(2, 3, M, M), r(2, 3, M, M)
        self.args = {"x": self.x, "w": self.w, "v": self.v, "b": self.b, "z": self.z}
        self.known = {"dy": self.dy, "mask": self.mask, "gamma": self.gamma, "xhat": self.xhat}
        self.known |= {"inv_std": self.inv_std, "valid": self.valid, "onehot": self.onehot}
        self.known["each:v"] = self.h[:, :, None] * self.dy[:, None, :]
        self.right = {"x": self.dh @ self.w.T, "w": self.x.T @ self.dh, "b": self.dh.sum(0)}
        self.right |= {"h": self.dh, "v": self.h.T @ self.dy, "c": self.dy.sum(0)}
        self.right |= {"z": self.norm(), "l": self.norm(axis=1), "gamma": self.xhat.sum(0)}
        self.right |= {"dropped": self.dy * self.mask / KEEP, "q": self.q, "k": self.k}
        self.right |= {"logits": self.valid * (self.p - self.smooth()) / VALID}
        self.right |= {"r": (self.h * self.mask / KEEP).T @ self.z}

    def norm(self, d=None, axis=0, mean=1.0, variance=1.0, eps=0.0):
        """The dz of batch-norm, or of layer-norm for axis 1, with the shares of its two terms."""
        d = self.d if d is None else d
        average = lambda a: a.mean(axis, keepdims=True)  # noqa: E731
        centred = self.z - average(self.z)
        var = average(centred**2)
        xhat = centred / var**0.5
        dz = d - mean * average(d) - variance * xhat * average(d * xhat)
        return dz / (var + eps) ** 0.5

    def last(self):
        """The part of the last example in dv."""
        return np.outer(self.h[-1], self.dy[-1])

    def delta(self, i):
        """dh, with that of example i wrong."""
        return np.where(np.arange(B)[:, None] == i, 1.0, self.dh)

    def smooth(self):
        return (1 - SMOOTHING) * self.onehot + SMOOTHING / M

    def evidence(self, wrong, dtype="float64", **more):
        """`wrong` in place of the right gradients of its leaves, rounded as dtype does."""
        rng, unit = np.random.default_rng(0), NOISE[dtype]
        ours, allowed = self.right | wrong, {}
        for path, g in self.right.items():
            noise = unit * rng.uniform(-1, 1, g.shape)
            allowed[path] = 4 * np.linalg.norm(noise * g) + unit * np.linalg.norm(g)
            if dtype != "float64":  # where the rounding of the arithmetic itself is enough
                ours[path] = wrong.get(path, g) * (1 + noise)
        bad = [p for p in wrong if np.linalg.norm(ours[p] - self.right[p]) > allowed[p]]
        more = {"arguments": self.args, "known": self.known, "constants": CONSTANTS} | more
        return Evidence(ours, self.right, tuple(bad), allowed, **more)


class Row(NamedTuple):
    """A mistake: the cause that should be named, `wrong(world)`, the wrong gradients by path, and
    the filter without which the name is not found, where a row is there to show that."""

    name: str
    kind: str
    words: str
    wrong: Callable[[World], dict[str, np.ndarray]]
    filter: str = ""


def put(index, value):
    """A change that writes `value`, or that function of what was there."""

    def change(g):
        g = g.copy()
        g[index] = value(g[index]) if callable(value) else value
        return g

    return change


def on(path, change):
    """The gradient of `path` changed; `change(g)`, or `change(g, world)`."""
    few = change.__code__.co_argcount == 1
    return lambda s: {path: change(s.right[path]) if few else change(s.right[path], s)}


SCATTERED = ([0, 1, 0], [0, 1, 2], [0, 3, 6], [2, 3, 4])
ROWS = [
    Row("zero", "zero", "zero everywhere", on("v", lambda g: 0 * g), "zero"),
    Row("bias sign", "sign", "opposite", on("c", lambda g: -g), "sign"),
    Row("half", "scale", "0.5 = 1/2", on("w", lambda g: g / 2), "scale"),
    Row("1% factor", "scale", "1.01", on("v", lambda g: 1.01 * g)),
    Row("bias mean", "scale", "= 1/batch", on("b", lambda g: g / B)),
    Row("1/keep missing", "scale", "0.8 = keep", on("dropped", lambda g: KEEP * g)),
    Row("over the batch", "scale", "= n_valid/batch", on("logits", lambda g: g * VALID / B)),
    Row("n - 1", "scale", "batch/(batch-1)", on("logits", lambda g: g * B / (B - 1))),
    Row("unbiased", "scale", "sqrt((batch-1)/batch)", on("z", lambda g: g * (1 - 1 / B) ** 0.5)),
    Row("grouped mean", "scale", "= groups/heads", on("k", lambda g: g / 3)),
    Row("width", "scale", "sqrt(7) (7 = length of axis", on("q", lambda g: g * 7**0.5)),
    Row("transposed", "transposed", "transposed", on("v", lambda g: g.T), "transposed"),
    Row("window", "transposed", "axes 2 and 3", on("q", lambda g: g.swapaxes(2, 3)), "transposed"),
    Row("W for W'", "transposed", "by v where", on("h", lambda g, s: s.dy @ s.v), "wrong_side"),
    Row("flipped", "permuted", "axes 2, 3", on("q", lambda g: g[:, :, ::-1, ::-1]), "permuted"),
    Row("rolled", "permuted", "by 2 along axis 0", on("v", lambda g: np.roll(g, 2, 0)), "permuted"),
    Row("shifted", "permuted", "with zeros", on("v", lambda g: np.vstack([g[1:], 0 * g[:1]]))),
    Row("exchanged", "swapped", "exchanged with q", lambda s: {"q": s.k, "k": s.q}, "swapped"),
    Row("no slope", "swapped", "equal to dy", on("dropped", lambda g, s: s.dy * 3), "composed"),
    Row("no decay", "decay", "-lambda", on("v", lambda g, s: g - LAMBDA * s.v), "decay"),
    Row("decay of a bias", "decay", "= lambda", on("b", lambda g, s: g + LAMBDA * s.b), "decay"),
    Row("no L1", "decay", "the sign of", on("w", lambda g, s: g - LAMBDA * np.sign(s.w)), "decay"),
    Row("no dropout", "mask", "not zero where", on("dropped", lambda g, s: s.dy / KEEP), "mask"),
    Row("all rows", "mask", "valid", on("logits", lambda g, s: (s.p - s.smooth()) / VALID), "mask"),
    Row("mask twice", "mask", "reference times", on("h", lambda g, s: g * s.mask), "mask"),
    Row("inverted", "mask", "other way round", on("dropped", lambda g, s: s.dy * (1 - s.mask))),
    Row("undropped", "mask", "what mask leaves", on("r", lambda g, s: s.h.T @ s.z), "masked_sum"),
    Row("entry", "entry", "[2, 1] is wrong, times 1.5", on("v", put((2, 1), lambda v: 1.5 * v))),
    Row("entry set", "entry", "only entry [2, 1]", on("v", put((2, 1), 9.0)), "entry"),
    Row("entries", "entry", "3 of 294", on("q", put(SCATTERED, 9.0)), "entries"),
    Row("row zero", "rows", "row 3 of 7 is wrong, and zero", on("v", put(3, 0.0)), "rows"),
    Row("last key", "rows", "6 of 7 along axis 2", on("q", put(np.s_[:, :, -1], 0.0)), "rows"),
    Row("tile", "rows", "what comes before", on("v", lambda g: g[[0, 1, 2, 3, 4, 5, 5]]), "rows"),
    Row("two rows", "rows", "exchanged", on("v", lambda g: g[[1, 0, 2, 3, 4, 5, 6]]), "rows"),
    Row("clipped", "clipped", "= lambda", on("logits", lambda g: g.clip(-0.01, 0.01)), "clipped"),
    Row("no std", "feature", "1/inv_std", on("z", lambda g, s: g / s.inv_std), "known_feature"),
    Row("no gamma", "feature", "1/gamma", lambda s: {"z": s.norm(s.dy)}, "known_feature"),
    Row("no dy", "upstream", "1/dy", on("dropped", lambda g, s: s.mask / KEEP), "known_feature"),
    Row(
        "inner gamma", "feature", "factor gamma", lambda s: {"l": s.norm(s.dy, 1)}, "factor_inside"
    ),
    Row("eps", "feature", "a factor for every", lambda s: {"z": s.norm(eps=0.1)}, "feature"),
    Row("no mean", "mean", "along axis 0", lambda s: {"z": s.norm(mean=0.0)}, "mean"),
    Row("no variance", "term", "xhat", lambda s: {"z": s.norm(variance=0.0)}, "term"),
    Row(
        "neither",
        "mean",
        "a constant and xhat",
        lambda s: {"z": s.norm(None, 0, 0, 0)},
        "two_terms",
    ),
    Row("one out", "example", "12 of 13 is left", on("v", lambda g, s: g - s.last()), "example"),
    Row("its delta", "example", "4 of 13", on("w", lambda g, s: s.x.T @ s.delta(4)), "one_row"),
    Row("broadcast", "mean", "same all along", on("c", lambda g: 0 * g + g[0]), "constant"),
    Row("doubled", "transposed", "and off by the factor 2", on("v", lambda g: 2 * g.T), "composed"),
    Row("and decay", "sign", "= keep", on("v", lambda g, s: KEEP * s.v - g), "composed"),
    Row("bfloat16", "precision", "bfloat16 num", on("v", bfloat16), "low_precision"),
    Row("float32", "precision", "float32 num", on("v", lambda g: g.astype("f4").astype("f8"))),
]
