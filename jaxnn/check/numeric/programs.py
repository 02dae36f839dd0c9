"""All that the checker knows of how JAX writes a program down: the file to mend when that changes.

JAX promises nothing about the parameters of its primitives. The versions in `KNOWN` were looked at.
What another one writes in another way is not looked into, which is no error: for `held` such an
equation holds nothing, so that it is run as a whole; and a parameter that is not there raises
`NotKnown`, for whoever asked to do without. A report says what was not looked into.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
from jax.extend.core import (
    ClosedJaxpr,
    Jaxpr,
    JaxprEqn,
    Literal as Literal,
    jaxpr_as_fun,
    jaxprs_in_params,
)
from jax.extend.source_info_util import summarize

from jaxnn.core.types import ArrayLike, Tree

KNOWN = ("0.10", "0.11", "0.12")

Program: TypeAlias = ClosedJaxpr
Equation: TypeAlias = JaxprEqn
as_function = jaxpr_as_fun
RULE = "custom_vjp_call"  # the primitive of a function with a backward pass of its own
OWN_DERIVATIVE = "custom_jvp_call"  # that of one with a derivative of its own: relu, softplus

# what NumPy code raises when it meets a tracer
NOT_TRACEABLE = (jax.errors.JAXTypeError, jax.errors.JAXIndexError, TypeError)


class NotKnown(LookupError):
    """This version of JAX writes something down in a way that is not known here."""


class Call(NamedTuple):
    """program(operands)."""

    program: Program


class Cond(NamedTuple):
    """branches[first operand](other operands)."""

    branches: tuple[Program, ...]


class Scan(NamedTuple):
    """body(consts, carry, x) -> (carry, y), in so many rounds. Operands: consts, carry, xs."""

    body: Program
    rounds: int
    reverse: bool
    n_consts: int
    n_carry: int


class While(NamedTuple):
    """carry = body(consts, carry) while test(consts, carry). Operands: consts of the test, consts
    of the body, carry."""

    test: Program
    body: Program
    n_test: int
    n_body: int


class Parameters(dict[str, Any]):
    """What an equation was made with besides its operands, by name."""

    def __missing__(self, name: str) -> Any:
        raise NotKnown(f"no parameter {name!r}: {version()}")


def version() -> str:
    """The version of JAX beside those that are known here, in words."""
    return f"this is jax {jax.__version__}, known are {', '.join(KNOWN)}"


def parameters(eqn: Equation) -> Parameters:
    """Those of an equation. One that is not there raises NotKnown where it is asked for."""
    return Parameters(eqn.params)


def held(eqn: Equation) -> Call | Cond | Scan | While | None:
    """The programs that an equation runs, and how. None if there are none, or it is not known."""
    reader = HOLDERS.get(eqn.primitive.name)
    try:
        return None if reader is None else reader(parameters(eqn))
    except (NotKnown, AttributeError, TypeError, ValueError):
        return None


def inner(eqn: Equation) -> list[Jaxpr]:
    """All programs among the parameters of an equation, known or not."""
    return list(jaxprs_in_params(eqn.params))


def trace(f: Callable[..., Any], args: tuple[Tree, ...]) -> tuple[Program, Any]:
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


def bind(eqn: Equation, values: Sequence[ArrayLike]) -> list[Any]:
    """The outputs of an equation as JAX computes them."""
    out = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(eqn.params))
    return list(out) if eqn.primitive.multiple_results else [out]


def name_of(program: Program) -> str:
    """The name of the function that was traced."""
    return program.jaxpr.debug_info.func_name


def place_of(eqn: Equation) -> str:
    """`file:line (function)` in the caller's source; empty where JAX does not know."""
    place, _, function = summarize(eqn.source_info).partition(" ")
    name, *line = place.rsplit("/", 1)[-1].split(":")
    return f"{name}:{line[0]} {function}" if line else ""


def _call(parameter: str) -> Callable[[Parameters], Call]:
    def read(params: Parameters) -> Call:
        program = params[parameter]
        return Call(program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ()))

    return read


def _scan(params: Parameters) -> Scan:
    body, rounds, reverse = params["jaxpr"], params["length"], params["reverse"]
    if "num_consts" in params:  # 0.10
        return Scan(body, rounds, reverse, params["num_consts"], params["num_carry"])
    consts, carry, _ = params["ft_in"].unpack()
    return Scan(body, rounds, reverse, len(consts), len(carry))


def _while(params: Parameters) -> While:
    counts = params["cond_nconsts"], params["body_nconsts"]
    return While(params["cond_jaxpr"], params["body_jaxpr"], *counts)


HOLDERS: dict[str, Callable[[Parameters], Call | Cond | Scan | While]] = {
    "jit": _call("jaxpr"),
    "remat2": _call("jaxpr"),
    "closed_call": _call("call_jaxpr"),  # 0.10
    "eval_jaxpr": _call("call_jaxpr"),  # 0.11 and later
    OWN_DERIVATIVE: _call("call_jaxpr"),
    RULE: _call("call_jaxpr"),
    "cond": lambda params: Cond(params["branches"]),
    "scan": _scan,
    "while": _while,
}
