"""Which equations of a program can put a kink between its arguments and its output.

Two passes over the program, without running it. Forwards: what moves when the inexact arguments
do. Integers, random bits and everything computed from them alone stay put, and so does what has a
derivative of 0, such as a sign or a comparison. Backwards: what the inexact outputs are made of,
except through `stop_gradient`: the largest logit that a softmax takes off for safety has ties and
no effect.
"""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxnn.check.kinks.offsets import FLAT, OFFSETS, SMOOTH, UNMEASURED
from jaxnn.check.numeric.jaxpr_walk import Path
from jaxnn.check.numeric.programs import (
    OWN_DERIVATIVE,
    Call,
    Cond,
    Equation,
    Literal,
    Program,
    Scan,
    While,
    held,
    inner,
    name_of,
)

Flags = Sequence[bool]


def reach(program: Program) -> dict[Path, list[bool]]:
    """For the path of every equation that may count: which of its operands move."""
    moving: dict[Path, list[bool]] = {}
    _forwards(program, [_inexact(v) for v in program.jaxpr.invars], (), moving)
    live: set[Path] = set()
    _backwards(program, [_inexact(v) for v in program.jaxpr.outvars], (), live)
    return {path: flags for path, flags in moving.items() if path in live}


def has_kinks(eqn: Equation) -> bool:
    """Whether an equation, or any within the programs that it holds, may have kinks."""
    if smooth(eqn):
        return False
    own = eqn.primitive.name in OFFSETS and any(map(_inexact, eqn.invars))
    inside = any(has_kinks(e) for jaxpr in inner(eqn) for e in jaxpr.eqns)
    return own or eqn.primitive.name in UNMEASURED or inside


def smooth(eqn: Equation) -> bool:
    """Whether this is a call of a function known to be smooth, whatever it is computed by."""
    inside = held(eqn) if eqn.primitive.name == OWN_DERIVATIVE else None
    return isinstance(inside, Call) and name_of(inside.program) in SMOOTH


def _inexact(atom: object) -> bool:
    return bool(jnp.issubdtype(atom.aval.dtype, jnp.inexact))  # pyright: ignore


def _forwards(program: Program, given: Flags, path: Path, found: dict) -> list[bool]:
    """Which outputs move; `found` gets the moving operands of every equation."""
    moves = dict(zip(program.jaxpr.invars, given, strict=True))

    def read(atom: object) -> bool:
        return not isinstance(atom, Literal) and moves.get(atom, False)

    for i, eqn in enumerate(program.jaxpr.eqns):
        flags = [read(atom) for atom in eqn.invars]
        found[(*path, i)] = [m and _inexact(v) for m, v in zip(flags, eqn.invars, strict=True)]
        outputs = _through(eqn, flags, (*path, i), found)
        for v, moved in zip(eqn.outvars, outputs, strict=True):
            moves[v] = moved and _inexact(v)
    return [read(atom) for atom in program.jaxpr.outvars]


def _through(eqn: Equation, flags: list[bool], path: Path, found: dict) -> list[bool]:
    match held(eqn):
        case Call(program):
            return _forwards(program, flags, path, found)
        case Cond(branches):
            every = [_forwards(b, flags[1:], (*path, i), found) for i, b in enumerate(branches)]
            return [any(one) for one in zip(*every, strict=True)]
        case Scan(body, n_consts=n, n_carry=k):
            return _settle(body, flags[:n], flags[n : n + k], flags[n + k :], path, found)
        case While(test, body, n, k):
            given, carry = flags[n : n + k], flags[n + k :]
            carry = _settle(body, given, carry, [], (*path, 1), found)
            _forwards(test, [*flags[:n], *carry], (*path, 0), found)
            return carry
        case _:
            return [any(flags) and eqn.primitive.name not in FLAT] * len(eqn.outvars)


def _settle(
    body: Program, consts: list[bool], carry: list[bool], xs: list[bool], path: Path, found
) -> list[bool]:
    """The outputs of a loop that move: rounds until no further part of the carry does."""
    while True:
        outputs = _forwards(body, [*consts, *carry, *xs], path, found)
        wider = [a or b for a, b in zip(carry, outputs, strict=False)]
        if wider == carry:
            return [*carry, *outputs[len(carry) :]]
        carry = wider


def _backwards(program: Program, wanted: Flags, path: Path, live: set[Path]) -> list[bool]:
    """Which inputs the wanted outputs are made of; `live` gets the paths of the equations."""
    needed = {v for v, w in zip(program.jaxpr.outvars, wanted, strict=True) if w and _is_var(v)}
    for i in reversed(range(len(program.jaxpr.eqns))):
        eqn = program.jaxpr.eqns[i]
        outputs = [v in needed for v in eqn.outvars]
        if not any(outputs) or eqn.primitive.name == "stop_gradient":
            continue
        live.add((*path, i))
        inputs = _into(eqn, outputs, (*path, i), live)
        needed |= {v for v, n in zip(eqn.invars, inputs, strict=True) if n and _is_var(v)}
    return [v in needed for v in program.jaxpr.invars]


def _into(eqn: Equation, outputs: list[bool], path: Path, live: set[Path]) -> list[bool]:
    """The needed operands of an equation; of a conditional or a loop, all."""
    every = [True] * len(eqn.invars)
    if smooth(eqn):
        return every
    match held(eqn):
        case Call(program):
            return _backwards(program, outputs, path, live)
        case Cond(branches):
            for i, branch in enumerate(branches):
                _backwards(branch, outputs, (*path, i), live)
        case Scan(body):
            _backwards(body, [True] * len(body.out_avals), path, live)
        case While(test, body):
            _backwards(test, [True], (*path, 0), live)
            _backwards(body, [True] * len(eqn.outvars), (*path, 1), live)
    return every


def _is_var(atom: object) -> bool:
    return not isinstance(atom, Literal)
