"""Records of parameters, and which of their fields are weights.

A record is shared by all layers with the same mathematics, so the path of a parameter, and of its
gradient, reads `[0].w`. A weight is a field named `w`, `w_...` or `rows`; biases, scales and
shifts are not weights. Penalties and weight decay look at weights alone unless told otherwise.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.core.types import Params


class Affine(NamedTuple):
    """Parameters of y = x w + b: w (n_in, n_out), or a kernel; b (n_out,), or None."""

    w: Any
    b: Any


class ScaleShift(NamedTuple):
    """Parameters of y = scale * x + shift, both (n,), or None where it is left out."""

    scale: Any
    shift: Any


class Normed(NamedTuple):
    """Parameters of a layer whose w is scale v / |v|: its record, with v (..., n_out) in the place
    of w, and scale (n_out,)."""

    layer: Any
    scale: Any


class Table(NamedTuple):
    """One row for each id: rows (n, width)."""

    rows: Any


def weights(path: tuple[Any, ...]) -> bool:
    """Whether the leaf at this path of a parameter tree is a weight."""
    name = str(getattr(path[-1], "name", getattr(path[-1], "key", ""))) if path else ""
    return name in ("w", "rows") or name.startswith("w_")


def everything(path: tuple[Any, ...]) -> bool:
    """Whether the leaf is trained: biases, scales and shifts too, but not the fixed B of a backward
    rule, which sits in a tuple in a field `feedback`."""
    *_, holder, last = (None, None, *path)
    return not (hasattr(last, "idx") and getattr(holder, "name", "") == "feedback")


def count_parameters(params: Params) -> int:
    """How many numbers the tree holds.

    For dense layers of widths n_0, n_1, ... that is sum n_i n_(i-1) weights and sum n_i biases.
    """
    return sum(int(np.prod(leaf.shape, dtype=np.int64)) for leaf in jax.tree.leaves(params))
