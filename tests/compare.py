"""What the tests share: random parameters, a backward pass to look at, trees to compare.

Whether a backward pass is right is judged by `jaxnn.check`."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path

from jaxnn import Layer, gradient

KEY = jax.random.key(7, impl="rbg")  # threefry takes seconds to compile in each program


def assert_trees_close(actual: Any, expected: Any, rtol: float = 1e-9, name: str = "") -> None:
    """Equal structure, shapes and dtypes, and per leaf |actual - expected| <= rtol |expected|.

    The norm is over the leaf, with no absolute tolerance: where zero is expected, zero must come.
    """
    ours, structure = tree_flatten_with_path(actual)
    theirs, wanted = tree_flatten_with_path(expected)
    assert structure == wanted, f"{name}: structure {structure}, expected {wanted}"
    for (path, a), (_, e) in zip(ours, theirs, strict=True):
        place = name + keystr(path)
        assert a.shape == e.shape, f"{place}: shape {a.shape}, expected {e.shape}"
        assert a.dtype == e.dtype, f"{place}: dtype {a.dtype}, expected {e.dtype}"
        if jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, e = jax.random.key_data(a), jax.random.key_data(e)
        a, e = np.asarray(a, np.float64), np.asarray(e, np.float64)
        assert np.isfinite(a).all(), f"{place}: not finite"
        error, size = norm(a - e), norm(e)
        assert error <= rtol * size, f"{place}: error {error:.3g} of {size:.3g}, allowed {rtol:g}"


def norm(a: np.ndarray) -> float:
    """The Euclidean norm, scaled so that squares of tiny numbers do not underflow to 0."""
    top = float(np.abs(a).max(initial=0))
    return top * float(np.linalg.norm(a / top)) if top else 0.0


def draw(like: Any, seed: int) -> Any:
    """A tree of normal numbers with the structure, shapes and dtypes of `like`.

    For parameters it replaces `init`: no scale is 1, no bias 0, and nothing has to be compiled.
    """
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), like)


def setting(layer: Layer, x: Any, seed: int = 0) -> tuple[Any, Any]:
    """Random parameters for inputs like x, and a random dy."""
    shapes = jax.eval_shape(layer.init, KEY, x)
    y = jax.eval_shape(layer.forward, shapes, x, KEY)[0]
    return draw(shapes, seed), draw(y, seed + 1)


@jax.jit
def by_hand(layer: Layer, params: Any, x: Any, dy: Any) -> tuple[Any, Any]:
    """(dx, dparams) by the layer's own backward."""
    _, residuals = layer.forward(params, x, KEY)
    return layer.backward(params, residuals, dy, lambda factor: gradient(factor, 1.0))
