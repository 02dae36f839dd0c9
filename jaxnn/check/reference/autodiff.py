"""The reference gradient by automatic differentiation of a plain forward pass.

The one place in the library where autodiff computes a gradient: it is what the hand-written rules
are checked against. A `jax.custom_vjp` inside the reference would make a rule its own judge, so
the reference is differentiated with every such decoration taken off.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from jaxnn.check.numeric.arrays import is_inexact
from jaxnn.check.numeric.jaxpr_walk import Path, Walk
from jaxnn.check.numeric.programs import OWN_DERIVATIVE, RULE, Equation, Jaxpr, bind, inner, trace
from jaxnn.check.problem import inexact_leaves
from jaxnn.core.types import ArrayLike, Tree


@partial(jax.jit, static_argnames=("reference", "wrt"))
def differentiate(
    reference: Callable[..., Any], wrt: tuple[int, ...], args: tuple[Tree, ...], dy: list[ArrayLike]
) -> tuple[list[Any], list[Any]]:
    """(y, dargs) at the inexact leaves of the output and of the arguments `wrt`, by `jax.vjp`."""
    leaves, structure = jax.tree.flatten([args[i] for i in wrt])
    moving = [k for k, leaf in enumerate(leaves) if is_inexact(leaf)]

    def along(moved: list[ArrayLike]) -> list[Any]:
        for k, leaf in zip(moving, moved, strict=True):
            leaves[k] = leaf
        full = list(args)
        for i, variable in zip(wrt, jax.tree.unflatten(structure, leaves), strict=True):
            full[i] = variable
        return inexact_leaves(undecorated(reference)(*full))

    y, pull = jax.vjp(along, [leaves[k] for k in moving])
    return y, pull(dy)[0]


def undecorated(f: Callable[..., Any]) -> Callable[..., Any]:
    """f without its `jax.custom_vjp` rules, so that autodiff sees what f computes.

    Rules inside of loops and conditionals, and in programs that this version of JAX writes in
    another way, cannot be reached; `own_rules` counts those left.
    """

    def plain(*args: Tree) -> Any:
        program, structure = trace(f, args)
        if not _rules(program.jaxpr):
            return f(*args)
        return structure.unflatten(_Undecorated().run(program, jax.tree.leaves(args)))

    return plain


def own_rules(f: Callable[..., Any], args: tuple[Tree, ...]) -> int:
    """How many `jax.custom_vjp` rules are still in f when `undecorated` has done what it can."""
    return _rules(trace(undecorated(f), args)[0].jaxpr)


class _Undecorated(Walk):
    """Calls walked into, those of `jax.custom_vjp` too; the rules of JAX's own functions stay."""

    def step(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        if eqn.primitive.name == OWN_DERIVATIVE:
            return bind(eqn, values)
        return super().step(eqn, values, path)

    def enters(self, eqn: Equation, values: list[ArrayLike]) -> bool:
        return False


def _rules(jaxpr: Jaxpr) -> int:
    return sum((eqn.primitive.name == RULE) + sum(map(_rules, inner(eqn))) for eqn in jaxpr.eqns)
