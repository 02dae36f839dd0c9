"""Running a traced JAX function one primitive at a time.

A subclass says what a primitive does, in `apply`; calls, conditionals and loops are walked into
here, with their branches and numbers of rounds decided by the values met on the way. So a program
can be computed in other numbers than it was written for (`complex_rules.py`), or be looked at
while it runs (`kinks/distance.py`).

Every equation has a path: its number in its program, behind the path of the equation that holds
that program (for a conditional and its branches, or a while loop and its condition and body, their
number stands in between). It is the same in every round of a loop.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.programs import (
    Call,
    Cond,
    Equation,
    Literal,
    Program,
    Scan,
    While,
    bind,
    held,
)
from jaxnn.core.types import ArrayLike, Dtype

Path = tuple[int, ...]


class Walk:
    """An interpreter of traced programs."""

    def apply(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        """The outputs of one equation."""
        return bind(eqn, values)

    def enters(self, eqn: Equation, values: list[ArrayLike]) -> bool:
        """Whether a conditional or a loop is walked into, rather than applied as a whole."""
        return True

    def run(self, program: Program, values: Sequence[ArrayLike], path: Path = ()) -> list[Any]:
        """The outputs of a program."""
        jaxpr = program.jaxpr
        known: dict[Any, Any] = dict(zip(jaxpr.constvars, program.consts, strict=True))
        known |= dict(zip(jaxpr.invars, values, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, Literal) else known[atom]

        for i, eqn in enumerate(jaxpr.eqns):
            outputs = self.step(eqn, [read(atom) for atom in eqn.invars], (*path, i))
            known |= dict(zip(eqn.outvars, outputs, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def step(self, eqn: Equation, values: list[ArrayLike], path: Path) -> list[Any]:
        """The outputs of one equation, walked into where it holds a program."""
        inside = held(eqn)
        if isinstance(inside, Call):
            return self.run(inside.program, values, path)
        if inside is None or not self.enters(eqn, values):
            return self.apply(eqn, values, path)
        match inside:
            case Cond():
                return self._cond(inside, values, path)
            case Scan():
                return self._scan(inside, values, path)
            case While():
                return self._while(inside, values, path)

    def _cond(self, cond: Cond, values: list[ArrayLike], path: Path) -> list[Any]:
        taken = min(max(int(values[0]), 0), len(cond.branches) - 1)  # as JAX does out of range
        return self.run(cond.branches[taken], values[1:], (*path, taken))

    def _scan(self, scan: Scan, values: list[ArrayLike], path: Path) -> list[Any]:
        n_consts, n_carry = scan.n_consts, scan.n_carry
        consts, carry = values[:n_consts], values[n_consts : n_consts + n_carry]
        xs = [_indexable(x) for x in values[n_consts + n_carry :]]
        avals = scan.body.out_avals[n_carry:]
        ys: list[list[Any]] = [[] for _ in avals]
        for i in range(scan.rounds)[:: -1 if scan.reverse else 1]:
            outputs = self.run(scan.body, [*consts, *carry, *(x[i] for x in xs)], path)
            carry = outputs[:n_carry]
            for y, part in zip(ys, outputs[n_carry:], strict=True):
                y.append(part)
        ys = [y[:: -1 if scan.reverse else 1] for y in ys]
        return [*carry, *map(_stack, ys, avals)]

    def _while(self, loop: While, values: list[ArrayLike], path: Path) -> list[Any]:
        test, rest = values[: loop.n_test], values[loop.n_test :]
        body, carry = rest[: loop.n_body], rest[loop.n_body :]
        while bool(self.run(loop.test, [*test, *carry], (*path, 0))[0]):
            carry = self.run(loop.body, [*body, *carry], (*path, 1))
        return carry


def _indexable(x: ArrayLike) -> Any:
    """Rows of a numpy array are cheap; arrays of keys exist in JAX alone."""
    return x if _is_key(x.dtype) else np.asarray(x)


def _stack(parts: list[ArrayLike], aval: Any) -> Any:
    if _is_key(aval.dtype):
        return jnp.stack(parts)
    return np.stack(parts) if parts else np.zeros((0, *aval.shape), aval.dtype)


def _is_key(dtype: Dtype) -> bool:
    return jnp.issubdtype(dtype, jax.dtypes.prng_key)
