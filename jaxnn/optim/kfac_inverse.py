"""The damped inverse of a Kronecker product, and what it makes of a gradient.

With A = inputs and G = errors the product is a matrix on [dw; db], and

    exact      (A (x) G + lambda I)^-1:   U_A [(U_A^T [dw; db] U_G) / (l_A l_G^T + lambda)] U_G^T
    factored   (A + pi sqrt(lambda) I)^-1 [dw; db] (G + sqrt(lambda)/pi I)^-1

from A = U_A diag(l_A) U_A^T and likewise G, pi^2 = (tr A / dim A) / (tr G / dim G). The factored
one adds to lambda I the mixed terms pi sqrt(lambda) I (x) G + A (x) sqrt(lambda)/pi I, so it damps
more. Source: Martens and Grosse 2015, sections 4.2 and 6.3 (factored); George et al. 2018 (exact).
"""

import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_factor, cho_solve

from jaxnn.core.parameters import Affine
from jaxnn.core.trees import wide_dtype
from jaxnn.core.types import Array, ArrayLike, Number, Params, Tree
from jaxnn.curvature.kronecker_factors import KroneckerFactors

Inverse = Literal["exact", "factored"]


class Spectra(NamedTuple):
    """Eigenvalues and eigenvectors (in columns) of both factors, and the damping."""

    inputs: Any
    errors: Any
    damping: Any

    def times(self, m: Array) -> Any:
        """The exact inverse times m."""
        (l_a, u_a), (l_g, u_g) = self.inputs, self.errors
        turned = _product(u_a.T, m, u_g)
        return _product(u_a, turned / (l_a[:, None] * l_g + self.damping), u_g.T)


class Inverses(NamedTuple):
    """The damped inverses of both factors."""

    inputs: Any
    errors: Any

    def times(self, m: Array) -> Any:
        """The factored inverse times m."""
        return _product(self.inputs, m, self.errors)


def inverted(factors: Tree, params: Params, damping: Number, inverse: Inverse) -> Any:
    """`Spectra` or `Inverses` in the place of every affine map, None for other parameters.

    `factors` is a tree of `KroneckerFactors`, as a reading leaves it. An `Affine` is one map of
    w and b together; in any other record each w is a map of its own.
    """
    leaves, structure = jax.tree.flatten(factors, is_leaf=_is_place)
    records = structure.flatten_up_to(params)
    places = zip(leaves, records, strict=True)
    return structure.unflatten([_invert(f, record, damping, inverse) for f, record in places])


def preconditioned(inverses: Tree, grads: Params) -> Any:
    """The gradient of every affine map times its inverse; other gradients as they are."""
    leaves, structure = jax.tree.flatten(inverses, is_leaf=_is_place)
    records = structure.flatten_up_to(grads)
    found = [
        g if inverse is None else _natural(inverse, g)
        for inverse, g in zip(leaves, records, strict=True)
    ]
    return structure.unflatten(found)


def _natural(inverse: Spectra | Inverses, g: Tree) -> Any:
    """The inverse times a gradient; of layers in a `Repeat`, layer by layer."""
    if jax.tree.leaves(inverse.inputs)[-1].ndim > 2:
        return jax.vmap(_natural)(inverse, g)
    return _split(inverse.times(_joined(g)), g)


def _is_place(node: Any) -> bool:
    return node is None or isinstance(node, Affine | KroneckerFactors | Spectra | Inverses)


def _invert(factors: Tree, record: Any, damping: Number, inverse: Inverse) -> Any:
    factors = factors.w if isinstance(factors, Affine) else factors
    if factors is None:
        return None
    inputs, errors = factors
    levels = inputs.ndim - 2  # of a Repeat around a Repeat two
    if not (isinstance(record, Affine) and _joins(record.b, 1 + levels)):
        inputs = inputs[..., :-1, :-1]
    one = functools.partial(_damped, damping=damping, inverse=inverse)
    for _ in range(levels):
        one = jax.vmap(one)
    return one(inputs, errors)


def _joins(b: Array | None, ndim: int = 1) -> bool:
    """Whether b is a row of [w; b]: not where each place of a window has biases of its own."""
    return b is not None and b.ndim == ndim


def _damped(a: Array, g: Array, damping: Number, inverse: Inverse) -> Any:
    damping = jnp.asarray(damping, g.dtype)
    if inverse == "exact":
        return Spectra(_spectrum(a), _spectrum(g), damping)
    ratio = (jnp.trace(a) / len(a)) / (jnp.trace(g) / len(g))
    pi = jnp.sqrt(jnp.where((ratio > 0) & jnp.isfinite(ratio), ratio, 1))
    root = jnp.sqrt(damping)
    return Inverses(_inverse(a, pi * root), _inverse(g, root / pi))


def _spectrum(matrix: Array) -> tuple[Any, Any]:
    values, vectors = jnp.linalg.eigh(matrix)
    return jnp.maximum(values, 0), vectors


def _inverse(matrix: Array, shift: Any) -> Any:
    eye = jnp.eye(len(matrix), dtype=matrix.dtype)
    return cho_solve(cho_factor(matrix + shift * eye), eye)


def _joined(g: Array) -> Any:
    """[dw; db], at least in float32; of a kernel (*window, n_in, n_out) as (window n_in, n_out)."""
    w, b = g if isinstance(g, Affine) else (g, None)
    w = w.reshape(-1, w.shape[-1])
    rows = w if b is None or not _joins(b) else jnp.concatenate([w, b[None]])
    return rows.astype(wide_dtype(rows))


def _split(rows: Tree, like: Tree) -> Any:
    if not isinstance(like, Affine):
        return _shaped(rows, like)
    if not _joins(like.b):
        return Affine(_shaped(rows, like.w), like.b)
    return Affine(_shaped(rows[:-1], like.w), _shaped(rows[-1], like.b))


def _shaped(rows: Array, like: Array) -> Any:
    return rows.reshape(like.shape).astype(like.dtype)


def _product(a: Array, b: ArrayLike, c: ArrayLike) -> Any:
    return jnp.linalg.multi_dot([a, b, c], precision="highest")
