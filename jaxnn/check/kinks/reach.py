"""Which equations of a program can put a kink between its arguments and its output.

Two passes over the program, without running it. Forwards: what moves when the inexact arguments
do. Integers, random bits and everything computed from them alone stay put, and so does what has a
derivative of 0, such as a sign or a comparison. Backwards: what the inexact outputs are made of,
except through `stop_gradient`: the largest logit that a softmax takes off for safety has ties and
no effect.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, jaxprs_in_params

from jaxnn.check.kinks.offsets import FLAT, OFFSETS, SMOOTH, UNMEASURED
from jaxnn.check.numeric.jaxpr_walk import CALLS, Path, called

Flags = Sequence[bool]


def reach(program: ClosedJaxpr) -> dict[Path, list[bool]]:
    """For the path of every equation that may count: which of its operands move."""
    moving: dict[Path, list[bool]] = {}
    _forwards(program, [_inexact(v) for v in program.jaxpr.invars], (), moving)
    live: set[Path] = set()
    _backwards(program, [_inexact(v) for v in program.jaxpr.outvars], (), live)
    return {path: flags for path, flags in moving.items() if path in live}


def has_kinks(eqn: JaxprEqn) -> bool:
    """Whether an equation, or any within the programs that it holds, may have kinks."""
    if smooth(eqn):
        return False
    own = eqn.primitive.name in OFFSETS and any(map(_inexact, eqn.invars))
    inner = [e for jaxpr in jaxprs_in_params(eqn.params) for e in jaxpr.eqns]
    return own or eqn.primitive.name in UNMEASURED or any(map(has_kinks, inner))


def smooth(eqn: JaxprEqn) -> bool:
    """Whether this is a call of a function known to be smooth, whatever it is computed by."""
    if eqn.primitive.name != "custom_jvp_call":
        return False
    return called(eqn).jaxpr.debug_info.func_name in SMOOTH


def _inexact(atom: object) -> bool:
    return bool(jnp.issubdtype(atom.aval.dtype, jnp.inexact))  # pyright: ignore


def _forwards(program: ClosedJaxpr, given: Flags, path: Path, found: dict) -> list[bool]:
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


def _through(eqn: JaxprEqn, flags: list[bool], path: Path, found: dict) -> list[bool]:
    name, params = eqn.primitive.name, eqn.params
    if name in CALLS:
        return _forwards(called(eqn), flags, path, found)
    if name == "cond":
        every = [
            _forwards(branch, flags[1:], (*path, i), found)
            for i, branch in enumerate(params["branches"])
        ]
        return [any(one) for one in zip(*every, strict=True)]
    if name == "scan":
        n, k = params["num_consts"], params["num_carry"]
        return _settle(params["jaxpr"], flags[:n], flags[n : n + k], flags[n + k :], path, found)
    if name == "while":
        n, k = params["cond_nconsts"], params["body_nconsts"]
        body, given = params["body_jaxpr"], flags[n : n + k]
        carry = _settle(body, given, flags[n + k :], [], (*path, 1), found)
        _forwards(params["cond_jaxpr"], [*flags[:n], *carry], (*path, 0), found)
        return carry
    return [any(flags) and name not in FLAT] * len(eqn.outvars)


def _settle(
    body: ClosedJaxpr, consts: list[bool], carry: list[bool], xs: list[bool], path: Path, found
) -> list[bool]:
    """The outputs of a loop that move: rounds until no further part of the carry does."""
    while True:
        outputs = _forwards(body, [*consts, *carry, *xs], path, found)
        wider = [a or b for a, b in zip(carry, outputs, strict=False)]
        if wider == carry:
            return [*carry, *outputs[len(carry) :]]
        carry = wider


def _backwards(program: ClosedJaxpr, wanted: Flags, path: Path, live: set[Path]) -> list[bool]:
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


def _into(eqn: JaxprEqn, outputs: list[bool], path: Path, live: set[Path]) -> list[bool]:
    """The needed operands of an equation; of a conditional or a loop, all."""
    name, params = eqn.primitive.name, eqn.params
    if smooth(eqn):
        return [True] * len(eqn.invars)
    if name in CALLS:
        return _backwards(called(eqn), outputs, path, live)
    if name == "cond":
        for i, branch in enumerate(params["branches"]):
            _backwards(branch, outputs, (*path, i), live)
    if name == "scan":
        _backwards(params["jaxpr"], [True] * len(params["jaxpr"].out_avals), path, live)
    if name == "while":
        _backwards(params["cond_jaxpr"], [True], (*path, 0), live)
        _backwards(params["body_jaxpr"], [True] * len(eqn.outvars), (*path, 1), live)
    return [True] * len(eqn.invars)


def _is_var(atom: object) -> bool:
    return not isinstance(atom, Literal)
