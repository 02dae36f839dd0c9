"""Arrays that let only operations through whose continuation to complex numbers is known.

Unlike a JAX program, a numpy function has to be called with complex numbers, and some operations
then mean something else: |z| has no derivative, `var` takes absolute squares, `x.real` forgets the
step. What numpy does by name of a ufunc or function is seen here. What is not (an array hidden in
a list of Python numbers, a callback) is left to the comparison with differences.
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.check.numeric.complex_rules import NotAnalytic, refusal
from jaxnn.core.types import ArrayLike, Dtype, Tree

_UFUNCS = """
    add subtract multiply divide negative reciprocal square sqrt power matmul
    exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh
    arcsin arccos arctan arcsinh arccosh arctanh
    maximum minimum greater greater_equal less less_equal equal not_equal isfinite isnan
"""
_FUNCTIONS = """
    sum mean prod cumsum cumprod dot inner outer tensordot einsum trace diff
    reshape ravel transpose swapaxes moveaxis expand_dims squeeze broadcast_to
    concatenate stack vstack hstack split tile repeat roll flip pad take take_along_axis where
    copy diag diagonal tril triu zeros_like ones_like full_like empty_like shape ndim size
    max min argmax argmin sort argsort inv solve det
"""
_ATTRIBUTES = "real imag var std item tolist round clip conj conjugate"  # refused
UFUNCS, FUNCTIONS = set(_UFUNCS.split()), set(_FUNCTIONS.split())


class Recorder(np.ndarray):
    """A complex array that raises NotAnalytic for what is not in `UFUNCS` or `FUNCTIONS`."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if ufunc.__name__ not in UFUNCS:
            raise refusal(f"numpy.{ufunc.__name__}")
        inputs = _bare(inputs)
        if "power" in ufunc.__name__ and not _whole(inputs[1]) and np.any(np.real(inputs[0]) <= 0):
            raise refusal(f"numpy.{ufunc.__name__} of a base <= 0 by no whole number")
        target = keywords.pop("out", None)
        if target is not None:
            keywords["out"] = _bare(target)
        result = _recorded(getattr(ufunc, method)(*inputs, **keywords))
        return result if target is None else target[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func.__name__ not in FUNCTIONS:
            raise refusal(f"numpy.{func.__name__}")
        return _recorded(func(*_bare(args), **_bare(kwargs)))

    def __getitem__(self, key: Any) -> Any:
        return _recorded(_bare(self)[_bare(key)])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def astype(self, dtype: Dtype, *args: Any, **keywords: Any) -> Any:
        """The array itself for a floating dtype; other dtypes would forget the step."""
        if np.issubdtype(np.dtype(dtype), np.inexact):
            return self.copy()
        return np.real(_bare(self)).astype(dtype)


def _refused(name: str) -> property:
    def refuse(self: Recorder) -> Any:
        raise refusal(f"the array's .{name}")

    return property(refuse)


for _name in _ATTRIBUTES.split():
    setattr(Recorder, _name, _refused(_name))


def call(f: Callable[..., Any], args: tuple[Tree, ...]) -> Any:
    """f(*args) as plain arrays, for complex arrays among args. Raises NotAnalytic."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            y = f(*_recorded(args))
        except (np.exceptions.ComplexWarning, TypeError) as error:
            raise refusal(f"a step that wants real numbers ({error})") from error
    if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(y)):
        raise NotAnalytic(
            "complex step: expected a function that JAX can trace or that is plain numpy, got one "
            "that returns jax arrays and cannot be traced; use numerical_jvp"
        )
    return _bare(y)


def _recorded(tree: Tree) -> Any:
    def one(leaf: ArrayLike) -> Any:
        return np.asarray(leaf).view(Recorder) if np.iscomplexobj(leaf) else leaf

    return jax.tree.map(one, tree)


def _bare(tree: Tree) -> Any:
    def one(leaf: ArrayLike) -> Any:
        return leaf.view(np.ndarray) if isinstance(leaf, Recorder) else leaf

    return jax.tree.map(one, tree)


def _whole(exponent: ArrayLike) -> bool:
    return not np.iscomplexobj(exponent) and bool(np.all(np.equal(np.mod(exponent, 1), 0)))
