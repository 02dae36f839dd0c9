"""The order in which a forward pass uses its arguments: what is wrong last in it is nearest the
fault, for a mistake spoils the gradients of everything that was used before."""

from jaxnn.check.numeric.arrays import cast, named, precision
from jaxnn.check.numeric.programs import Jaxpr, Literal, inner, trace
from jaxnn.check.problem import Problem
from jaxnn.check.reference.truth import Draw
from jaxnn.core.types import Tree


def order_of_use(problem: Problem, draw: Draw, like: Tree) -> dict[str, int]:
    """For every path of an argument, when the reference first computes with it."""
    paths: list[str] = []
    for name, arg in zip(problem.names, draw.args, strict=True):
        paths += named(arg, name)
    try:
        with precision("float64"):
            args = cast(draw.args, "float64", like)
            program, _ = trace(problem.reference, args)
    except Exception:  # not traceable: the order of the arguments has to do
        return {path: i for i, path in enumerate(paths)}
    first = _first_uses(program.jaxpr)
    return {path: first.index(i) if i in first else len(first) for i, path in enumerate(paths)}


def _first_uses(jaxpr: Jaxpr) -> list[int]:
    """The inputs of the program by first use, walking into the programs it calls."""
    number = {var: i for i, var in enumerate(jaxpr.invars)}
    found: list[int] = []
    for eqn in jaxpr.eqns:
        held = inner(eqn)
        used = list(range(len(eqn.invars)))
        if len(held) == 1 and len(held[0].invars) == len(eqn.invars):
            used = _first_uses(held[0])
        atoms = [eqn.invars[k] for k in used]
        found += [number[a] for a in atoms if not isinstance(a, Literal) and a in number]
    return list(dict.fromkeys(found))
