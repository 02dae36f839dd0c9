"""Running a traced JAX function one primitive at a time.

A subclass says what a primitive does, in `apply`; calls, conditionals and loops are walked into
here, with their branches and numbers of rounds decided by the values met on the way. So a program
can be computed in other numbers than it was written for (`complex_step.py`), or be looked at while
it runs (`kinks.py`).

Every equation has a path: its number in its program, behind the path of the equation that holds
that program (for a conditional and its branches, or a while loop and its condition and body, their
number stands in between). It is the same in every round of a loop.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal

Path = tuple[int, ...]

CALLS = {  # the parameter that holds the program
    "jit": "jaxpr",
    "remat2": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


class Walk:
    """An interpreter of traced programs."""

    def apply(self, eqn: JaxprEqn, values: list[Any], path: Path) -> list[Any]:
        """The outputs of one equation."""
        return bind(eqn, values)

    def enters(self, eqn: JaxprEqn, values: list[Any]) -> bool:
        """Whether a conditional or a loop is walked into, rather than applied as a whole."""
        return True

    def run(self, program: ClosedJaxpr, values: Sequence[Any], path: Path = ()) -> list[Any]:
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

    def step(self, eqn: JaxprEqn, values: list[Any], path: Path) -> list[Any]:
        """The outputs of one equation, walked into where it holds a program."""
        name = eqn.primitive.name
        if name in CALLS:
            return self.run(called(eqn), values, path)
        loop = {"cond": self._cond, "scan": self._scan, "while": self._while}.get(name)
        if loop is None or not self.enters(eqn, values):
            return self.apply(eqn, values, path)
        return loop(eqn.params, values, path)

    def _cond(self, params: dict[str, Any], values: list[Any], path: Path) -> list[Any]:
        branches = params["branches"]
        taken = min(max(int(values[0]), 0), len(branches) - 1)  # as JAX does out of range
        return self.run(branches[taken], values[1:], (*path, taken))

    def _scan(self, params: dict[str, Any], values: list[Any], path: Path) -> list[Any]:
        body, rounds = params["jaxpr"], params["length"]
        n_consts, n_carry = params["num_consts"], params["num_carry"]
        consts, carry = values[:n_consts], values[n_consts : n_consts + n_carry]
        xs = [_indexable(x) for x in values[n_consts + n_carry :]]
        ys: list[list[Any]] = [[] for _ in body.out_avals[n_carry:]]
        for i in reversed(range(rounds)) if params["reverse"] else range(rounds):
            outputs = self.run(body, [*consts, *carry, *(x[i] for x in xs)], path)
            carry = outputs[:n_carry]
            for y, part in zip(ys, outputs[n_carry:], strict=True):
                y.append(part)
        avals = body.out_avals[n_carry:]
        stacked = [
            _stack(y[::-1] if params["reverse"] else y, aval)
            for y, aval in zip(ys, avals, strict=True)
        ]
        return [*carry, *stacked]

    def _while(self, params: dict[str, Any], values: list[Any], path: Path) -> list[Any]:
        n_test, n_body = params["cond_nconsts"], params["body_nconsts"]
        test, body = values[:n_test], values[n_test : n_test + n_body]
        carry = values[n_test + n_body :]
        while bool(self.run(params["cond_jaxpr"], [*test, *carry], (*path, 0))[0]):
            carry = self.run(params["body_jaxpr"], [*body, *carry], (*path, 1))
        return carry


def trace(f: Callable[..., Any], args: tuple) -> tuple[ClosedJaxpr, Any]:
    """The program of f for args like these, and the structure of its output.

    Raises TypeError for an f that JAX cannot trace.
    """
    try:
        program, shape = jax.make_jaxpr(f, return_shape=True)(*args)
    except jax.errors.JAXTypeError as error:
        raise TypeError(
            f"expected a JAX function, got {getattr(f, '__name__', f)}, which cannot be traced: "
            f"{str(error).splitlines()[0]}; write it with jax.numpy and without branches in Python"
        ) from error
    return program, jax.tree.structure(shape)


def bind(eqn: JaxprEqn, values: Sequence[Any]) -> list[Any]:
    """The outputs of an equation as JAX computes them."""
    out = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
    return list(out) if eqn.primitive.multiple_results else [out]


def called(eqn: JaxprEqn) -> ClosedJaxpr:
    """The program that an equation of `CALLS` calls; an open one has no constants."""
    program = eqn.params[CALLS[eqn.primitive.name]]
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())


def _indexable(x: Any) -> Any:
    """Rows of a numpy array are cheap; arrays of keys exist in JAX alone."""
    return x if _is_key(x.dtype) else np.asarray(x)


def _stack(parts: list[Any], aval: Any) -> Any:
    if _is_key(aval.dtype):
        return jnp.stack(parts)
    return np.stack(parts) if parts else np.zeros((0, *aval.shape), aval.dtype)


def _is_key(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jax.dtypes.prng_key)
