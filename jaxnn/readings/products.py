"""Inner products of gradients of single examples, from their factors.

For two uses (A, D) and (B, E) of a weight, A and D holding a row for each position,

    <A^T D, B^T E> = sum_st (A B^T)_st (D E^T)_st

so the gradients, in x out numbers each, need not be formed. That pays while the two matrices of
products over positions are smaller than a gradient; else the gradients are formed. Sums of many
products can nearly cancel, and then lose the digits that forming keeps: they are taken in full
precision, and `SquaredNorms("each")` forms the gradients anyway.
Source: Goodfellow 2015; over positions: Rochette, Manoel and Tramel 2019, eq. 9.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Masked, Stacked, Tied
from jaxnn.core.factors import Factor, Outer, Rows
from jaxnn.core.types import Array, Tree

HIGHEST = "highest"


def inner(f: Factor, g: Factor) -> Any:
    """<G_f, G_g> of two factors with a batch of one example each, of the same parameter."""
    if isinstance(f, Tied):
        return sum(inner(part, g) for part in f.parts)
    if isinstance(g, Tied):
        return sum(inner(f, part) for part in g.parts)
    if isinstance(f, Masked) or isinstance(g, Masked):
        return _masked(f, g)
    rule = _RULES.get((type(f), type(g)))
    if rule is None and (type(g), type(f)) in _RULES:
        f, g, rule = g, f, _RULES[type(g), type(f)]
    return _formed(f, g) if rule is None else rule(f, g)


def paired(f: Factor, g: Factor) -> Any:
    """<G_f(d[n]), G_g(d[n])> for each n, (batch,), of two factors of the same batch."""
    (fs, build_f), (gs, build_g) = f.rows(), g.rows()
    return jax.vmap(lambda a, b: inner(build_f(a), build_g(b)))(_alone(fs), _alone(gs))


def crossed(f: Factor, g: Factor) -> Any:
    """<G_f(d[n]), G_g(d[m])> for each n and m, (n, m), of two batches.

    In whichever form needs less memory: (n + m) gradients, or 2 n m matrices over positions; of
    layers that are stacked one after the other.
    """
    if isinstance(f, Stacked) and isinstance(g, Stacked):
        return jax.lax.map(lambda layer: crossed(*layer), (f.layers, g.layers)).sum(0)
    (fs, build_f), (gs, build_g) = f.rows(), g.rows()
    if _forming_is_smaller(f, g):
        left, right = f.each(), g.each()
        flat = left.reshape(len(left), -1), right.reshape(len(right), -1)
        return jnp.matmul(flat[0], flat[1].T, precision=HIGHEST)

    def row(a: Array) -> Any:
        return jax.vmap(lambda b: inner(build_f(a), build_g(b)))(_alone(gs))

    return jax.vmap(row)(_alone(fs))


def _alone(rows: Tree) -> Any:
    return jax.tree.map(lambda leaf: leaf[:, None], rows)


def _formed(f: Factor, g: Factor) -> Any:
    return jnp.vdot(f.contract(), g.contract(), precision=HIGHEST)


def _outer_outer(f: Outer, g: Outer) -> Any:
    (a, d), (b, e) = f.sides(), g.sides()
    a, d, b, e = a[0], d[0], b[0], e[0]
    if 2 * len(a) * len(b) >= a.shape[1] * d.shape[1] and len(a) * len(b) > 1:
        return _formed(f, g)
    along = jnp.matmul(a, b.T, precision=HIGHEST)
    return (along * jnp.matmul(d, e.T, precision=HIGHEST)).sum()


def _rows_rows(f: Rows, g: Rows) -> Any:
    ids, others = f.ids.reshape(-1, 1), g.ids.reshape(1, -1)
    same = (ids == others) & (ids >= 0) & (ids < f.n)
    d, e = f.d.reshape(-1, f.d.shape[-1]), g.d.reshape(-1, g.d.shape[-1])
    return jnp.where(same, jnp.matmul(d, e.T, precision=HIGHEST), 0).sum()


def _outer_rows(f: Outer, g: Rows) -> Any:
    """sum_st left[s, id_t] <right[s], e[t]>: the entry of `left` that stands for the row id_t."""
    left, right = f.sides()
    e = g.d.reshape(-1, g.d.shape[-1])
    picked = left[0].at[:, g.ids.reshape(-1)]
    picked = picked.get(mode="fill", fill_value=0, wrap_negative_indices=False)
    return (picked * jnp.matmul(right[0], e.T, precision=HIGHEST)).sum()


def _masked(f: Factor, g: Factor) -> Any:
    """sum_io a_i b_i m_io d_o e_o for outer products at one position, m the masks together."""
    (f, m), (g, k) = _unmask(f), _unmask(g)
    if isinstance(f, Outer) and isinstance(g, Outer):
        (a, d), (b, e) = f.sides(), g.sides()
        if a.shape[1] == b.shape[1] == 1:
            inputs = jnp.matmul(a[0, 0] * b[0, 0], jnp.asarray(m * k), precision=HIGHEST)
            return jnp.vdot(inputs, d[0, 0] * e[0, 0], precision=HIGHEST)
    return jnp.vdot(m * f.contract(), k * g.contract(), precision=HIGHEST)


def _unmask(factor: Factor) -> tuple[Factor, Any]:
    mask: Any = 1.0
    while isinstance(factor, Masked):
        factor, mask = factor.part, mask * factor.mask
    return factor, mask


def _forming_is_smaller(f: Factor, g: Factor) -> bool:
    """Whether the gradients of both batches hold fewer numbers than the products of positions."""
    if any(type(part) not in (Outer, Rows) for part in (*_parts(f), *_parts(g))):
        return True
    (n, s), (m, t) = (_counts(h) for h in (f, g))
    return (n + m) * jax.eval_shape(f.contract).size <= 2 * n * m * s * t


def _parts(factor: Factor) -> tuple[Factor, ...]:
    return factor.parts if isinstance(factor, Tied) else (factor,)


def _counts(factor: Factor) -> tuple[int, int]:
    """(examples, positions of one, the most of any part)."""
    shapes = [getattr(part, "d").shape for part in _parts(factor)]  # noqa: B009
    return shapes[0][0], max(math.prod(shape[1:-1]) for shape in shapes)


_RULES: dict[tuple[type, type], Callable[[Any, Any], Any]] = {
    (Outer, Outer): _outer_outer,
    (Rows, Rows): _rows_rows,
    (Outer, Rows): _outer_rows,
}
