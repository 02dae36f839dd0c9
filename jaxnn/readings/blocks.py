"""Gradients of single examples, formed a block of examples at a time.

What a reading falls back on where a factor has no closed form: right for every kind, at the cost
of one gradient an example. The memory stays that of a block, whatever the batch.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnn.core.factors import Factor
from jaxnn.core.types import Tree

LIMIT = 2**22  # numbers that a block may hold, unless a single gradient holds more


def map_blocks(function: Callable[[Any], Any], factor: Factor) -> Any:
    """`function(gradients)` for the gradients (block, *shape) of each block, put end to end."""
    n, block, rows, build = _plan(factor)
    if block == n:
        return function(factor.each())
    found = jax.lax.map(lambda some: function(build(some).each()), _cut(rows, block))
    return found.reshape(n, *found.shape[2:])


def sum_blocks(function: Callable[..., Any], factor: Factor, *arrays: Any) -> Any:
    """The sum over blocks of `function(gradients, *arrays)`, the arrays cut in blocks too."""
    n, block, rows, build = _plan(factor)
    if block == n:
        return function(factor.each(), *arrays)

    def step(sofar: Tree, part: Tree) -> tuple[Any, None]:
        some, others = part
        return sofar + function(build(some).each(), *others), None

    like = jax.eval_shape(lambda: function(factor.each(), *arrays))
    return jax.lax.scan(step, jnp.zeros_like(like), _cut((rows, arrays), block))[0]


def _plan(factor: Factor) -> tuple[int, int, Any, Callable[[Any], Any]]:
    """(examples, examples in a block, their rows, what makes a factor of some rows)."""
    rows, build = factor.rows()
    n = len(jax.tree.leaves(rows)[0])
    size = factor.size()
    fitting = (b for b in range(1, n + 1) if n % b == 0 and b * size <= LIMIT)
    return n, max(fitting, default=1), rows, build


def _cut(rows: Tree, block: int) -> Any:
    """Leaves (n, ...) as (n / block, block, ...)."""
    return jax.tree.map(lambda leaf: leaf.reshape(-1, block, *leaf.shape[1:]), rows)
