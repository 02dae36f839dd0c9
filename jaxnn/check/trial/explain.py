"""Where a failed check points to, and why it may have failed."""

from typing import Any, NamedTuple

import numpy as np

from jaxnn.check.diagnosis.diagnosis import Cause, Evidence, diagnose
from jaxnn.check.numeric.arrays import exact, is_numeric, named, precision
from jaxnn.check.reference.truth import Draw, Truth
from jaxnn.check.report.record import Finding, Leaf
from jaxnn.check.report.report import Report
from jaxnn.check.trial.candidate import Answer
from jaxnn.check.trial.cases import case_of
from jaxnn.check.trial.compare import VALUE, compare
from jaxnn.check.trial.order import order_of_use
from jaxnn.check.trial.setup import Setup
from jaxnn.core.types import ArrayLike

ALONG_DIRECTIONS = ("nan", "zero", "sign", "scale")  # what inner products alone can show
LINEAR = ("homogeneity", "zero_cotangent", "linearity")


class Failure(NamedTuple):
    """The draw that showed a mistake first, and everything known about it."""

    dtype: str
    draw: Draw
    truth: Truth
    answer: Answer
    leaves: list[Leaf]


def explained(report: Report, setup: Setup, failure: Failure) -> Report:
    """The report with place, cause, toggles, the call that repeats it, and the draw to save."""
    wrong = wrong_in_order(setup, failure)
    gradients = [path for path in wrong if not path.startswith(VALUE)]
    faults = [f for f in report.findings if f.verdict == "wrong"]
    upstream = next((f for f in faults if f.check in LINEAR), None)
    cause = diagnose(evidence(setup, failure, gradients)) if gradients else None
    if failure.truth.directions and cause and cause.kind not in ALONG_DIRECTIONS:
        cause = None
    if upstream and not (cause and cause.kind == "nan"):
        advice = "is dy ignored, used in part, clipped, or not multiplied in linearly?"
        cause = Cause("upstream", upstream.path, "not linear in the cotangent", advice, 0.0)
    place = wrong[-1] if wrong else next((f.path for f in faults if f.path), "")
    notes = tuple(_toggled(setup, failure))
    return report.replace(
        place=place,
        cause=cause,
        findings=report.findings + notes,
        repeat=f"{setup.problem.call}, seeds=({failure.draw.seed},), dtypes=({failure.dtype!r},))",
        case=case_of(failure.draw, failure.dtype),
    )


def evidence(setup: Setup, failure: Failure, wrong: list[str]) -> Evidence:
    """What the diagnosis needs: the whole gradients, the arguments, and the names to look for."""
    problem, options, draw = setup.problem, setup.options, failure.draw
    paths = problem.paths(draw.args)
    leaves = {leaf.path: leaf for leaf in failure.leaves}
    seen = [failure.truth.seen(i, g) for i, g in enumerate(failure.answer.gradients)]
    arguments: dict[str, Any] = {}
    for name, arg in zip(problem.names, draw.args, strict=True):
        arguments |= named(arg, name)
    with precision("float64"):
        known = options.known(*draw.args) if callable(options.known) else options.known or {}
    dy = {"dy" if len(draw.dy) == 1 else f"dy[{i}]": a for i, a in enumerate(draw.dy)}
    return Evidence(
        ours=dict(zip(paths, seen, strict=True)),
        reference=dict(zip(paths, failure.truth.gradients, strict=True)),
        wrong=tuple(wrong),
        allowed={path: leaves[path].allowed for path in paths},
        arguments={path: _numbers(a) for path, a in arguments.items() if is_numeric(a)},
        known={name: _numbers(a) for name, a in {**dy, **known}.items()},
        constants=dict(options.constants or {}),
    )


def wrong_in_order(setup: Setup, failure: Failure) -> list[str]:
    """The wrong paths, the values first, then in the order in which the forward pass uses them."""
    bad = [leaf.path for leaf in failure.leaves if not leaf.ok]
    order = order_of_use(setup.problem, failure.draw, setup.args)
    return sorted(bad, key=lambda path: order.get(path, -1))


def _toggled(setup: Setup, failure: Failure) -> list[Finding]:
    """With which simplification of the arguments the error vanishes."""
    findings = []
    for name, simplify in (setup.options.toggles or {}).items():
        args = exact(simplify(*failure.draw.args))
        draw = failure.draw._replace(args=args)
        truth = setup.source.fresh(draw)
        answer = setup.candidate.run(args, draw.dy, failure.dtype, eager=True)
        leaves, _ = compare(setup.problem, draw, truth, answer, failure.dtype, setup.options)
        if all(leaf.ok for leaf in leaves):
            findings.append(Finding("note", "toggle", f"the error vanishes with {name}"))
    return findings


def _numbers(a: ArrayLike) -> np.ndarray:
    return np.asarray(a, np.float64)
