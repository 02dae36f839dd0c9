"""Inputs for tests of gradients with hypothesis: the shapes, ids and masks that mistakes hide from.

    @given(strategies.params(net, x), strategies.batch(5))
    def test_backward(params, x):
        assert_layer(net, params, x)

Hypothesis draws the shapes and the choices, and shrinks them. The numbers in an array are normal,
made from one drawn seed: a gradient is judged at points in general position, not at the extremes
of a float. All arrays are numpy's, which JAX functions take as they are.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.check.kinks.distance import kink_distance
from jaxnn.check.numeric.arrays import is_inexact
from jaxnn.core.layer import Layer, shape_like
from jaxnn.core.types import ArrayLike, Dtype, Tree

try:
    from hypothesis import reject, strategies as st
except ImportError as error:
    raise ImportError(
        "jaxnn.check.testing.strategies needs hypothesis: pip install 'jaxnn[hypothesis]'"
    ) from error

SIDES = (1, 2, 3, 5, 7, 11, 13)  # primes: no axis is a multiple of a tile, or of another
SEEDS = st.integers(0, 2**32 - 1)


def shapes(
    min_dims: int = 1, max_dims: int = 3, most: int = 13
) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of axes of 1 or a prime of at most `most`, square ones included."""
    return st.lists(
        st.sampled_from([side for side in SIDES if side <= most]),
        min_size=min_dims,
        max_size=max_dims,
    ).map(tuple)


def scales(low: float = 1e-3, high: float = 1e3) -> st.SearchStrategy[float]:
    """Factors in [low, high], uniform in their logarithm and simplest near 1."""
    return st.floats(math.log10(low), math.log10(high)).map(lambda power: 10.0**power)


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]],
    dtype: Dtype = "float32",
    scale: float | st.SearchStrategy[float] = 1.0,
) -> np.ndarray:
    """Normal numbers times `scale`."""
    dims, factor = _drawn(draw, shape), _drawn(draw, scale)
    return _normal(draw(SEEDS), dims, dtype) * np.asarray(factor, dtype)


def batch(
    *features: int, most: int = 13, dtype: Dtype = "float32", scale: Any = 1.0
) -> st.SearchStrategy[np.ndarray]:
    """Arrays (n, *features) of n examples, from one to `most`."""
    sizes = st.sampled_from([side for side in SIDES if side <= most])
    return arrays(sizes.map(lambda n: (n, *features)), dtype, scale)


def params(like: Tree, x: Tree = None) -> st.SearchStrategy[Any]:
    """Parameters, all of them normal: no bias is 0 and no scale is 1.

    like: a layer, whose parameters are those for inputs like x, or a tree of arrays or of their
    shapes. Leaves of integers stay as they are. Raises TypeError for a layer without an x.
    """
    if isinstance(like, Layer):
        if x is None:
            raise TypeError(f"expected params({like!r}, x) with an x like the inputs, got none")
        like = jax.eval_shape(like.init, jax.random.key(0), shape_like(x))
    leaves, structure = jax.tree.flatten(like)

    def tree(seed: int) -> Any:
        made = [
            _normal([seed, i], a.shape, a.dtype) if is_inexact(a) else a
            for i, a in enumerate(leaves)
        ]
        return jax.tree.unflatten(structure, made)

    return SEEDS.map(tree)


@st.composite
def ids(
    draw: st.DrawFn, shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]], count: int
) -> np.ndarray:
    """int32 in 0 ... count - 1, where one is met twice if there is room for two."""
    dims = _drawn(draw, shape)
    found = np.random.default_rng(draw(SEEDS)).integers(0, count, dims).astype(np.int32)
    if found.size > 1:
        first, second = draw(st.permutations(range(found.size)))[:2]
        found.flat[first] = found.flat[second]
    return found


@st.composite
def masks(
    draw: st.DrawFn, shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]]
) -> np.ndarray:
    """Booleans: all true, all false, or some of each if there is room for both."""
    kind = draw(st.sampled_from(["mixed", "full", "empty"]))
    mask = np.full(_drawn(draw, shape), kind == "full")
    if kind == "mixed" and mask.size:
        true = draw(st.integers(1, max(1, mask.size - 1)))
        mask.flat[:true] = True
        mask = np.random.default_rng(draw(SEEDS)).permuted(mask)
    return mask


@st.composite
def clear_of_kinks(
    draw: st.DrawFn,
    f: Callable[..., Any],
    args: st.SearchStrategy[tuple[Any, ...]],
    margin: float = 0.01,
    tries: int = 30,
) -> tuple[Any, ...]:
    """Those of `args`, a strategy of tuples, at which f(*args) is further than `margin` from every
    kink, relative to the numbers compared, see `jaxnn.check.kinks.distance.kink_distance`."""
    for _ in range(tries):
        found = draw(args)
        if kink_distance(f, *found).distance > margin:
            return found
    reject()


def _drawn(draw: st.DrawFn, value: ArrayLike) -> Any:
    return draw(value) if isinstance(value, st.SearchStrategy) else value


def _normal(seed: int | list[int], shape: tuple[int, ...], dtype: Dtype) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).normal(size=shape), dtype)
