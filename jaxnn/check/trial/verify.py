"""One check, from the problem to the report.

For every precision and seed: draw arguments and cotangent, run the code under test, compare each
leaf with the truth, norm-wise. Then the checks that need no reference and, when something is
wrong, the search for where and why.
"""

import functools
from typing import NamedTuple

from jaxnn.check.numeric.arrays import dtype_of
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem, inexact_leaves
from jaxnn.check.reference.sources import choose
from jaxnn.check.reference.truth import Draw
from jaxnn.check.report.record import Finding, Leaf
from jaxnn.check.report.report import Report
from jaxnn.check.trial.candidate import Candidate, structure
from jaxnn.check.trial.compare import VALUE, compare
from jaxnn.check.trial.consistency import CONSISTENCY, EVERY_DRAW, NEED_COTANGENT, Trial
from jaxnn.check.trial.exercise import unexercised
from jaxnn.check.trial.explain import Failure, explained
from jaxnn.check.trial.setup import Setup
from jaxnn.check.trial.sides import other_side
from jaxnn.core.types import Tree


class Outcome(NamedTuple):
    """What one precision has shown."""

    leaves: list[Leaf]
    findings: list[Finding]
    failure: Failure | None = None

    def plus(self, leaves: list[Leaf], findings: list[Finding], failure: Failure) -> "Outcome":
        """With those of one more draw, which is the failure if it is the first to show one."""
        wrong = not all(leaf.ok for leaf in leaves) or any(f.verdict == "wrong" for f in findings)
        first = self.failure or (failure if wrong else None)
        return Outcome(self.leaves + leaves, self.findings + findings, first)


def verify(problem: Problem, args: tuple[Tree, ...], options: Options) -> Report:
    """Makes the check. What the code under test raises becomes a finding."""
    given = str(next((dtype_of(a) for a in inexact_leaves(problem.variables(args))), "float32"))
    dtypes = tuple(dict.fromkeys(given if d == "given" else d for d in options.dtypes))
    source = choose(problem, args, options)
    setup = Setup(problem, args, options, Candidate(problem, args), source, source.shapes(args))
    outcomes = [in_precision(setup, dtype, first=dtype == dtypes[0]) for dtype in dtypes]
    findings = [*source.notes, *(f for outcome in outcomes for f in outcome.findings)]
    leaves = tuple(leaf for outcome in outcomes for leaf in outcome.leaves)
    report = Report(problem.title, source.name, options.draws, dtypes, leaves, tuple(findings))
    failure = next((o.failure for o in outcomes if o.failure), None)
    if failure:
        return explained(report, setup, failure)
    if report.verdict == "wrong":
        return report.replace(place=next((f.path for f in findings if f.path), ""))
    return unexercised(report, setup)


def in_precision(setup: Setup, dtype: str, first: bool) -> Outcome:
    """All draws in one precision; the checks that cost extra runs in the first one alone."""
    draws = [setup.draw(dtype, seed) for seed in setup.options.draws]
    try:
        why_not = setup.candidate.untraceable(draws[0].args, draws[0].dy, dtype)
        findings = _look(setup, draws[0], dtype, why_not)
        if any(finding.verdict == "wrong" for finding in findings):
            return Outcome([], findings)
        answers = [setup.candidate.run(d.args, d.dy, dtype, eager=bool(why_not)) for d in draws]
    except Exception as error:
        text = f"in {dtype} the code under test raised {type(error).__name__}: {error}"
        return Outcome([], [Finding("wrong", "raised", text, dtype)])

    @functools.cache
    def another() -> Draw:
        return draws[1] if len(draws) > 1 else setup.draw(dtype, draws[0].seed + 1)

    outcome = Outcome([], findings)
    for n, (draw, answer) in enumerate(zip(draws, answers, strict=True)):
        truth = setup.source.truth(draw)
        leaves, found = compare(setup.problem, draw, truth, answer, dtype, setup.options)
        if not all(leaf.ok for leaf in leaves) and setup.source.is_autodiff:
            leaves, notes = other_side(setup.problem, draw, answer, leaves, setup.args)
            found += notes
        bounds = [leaf.allowed for leaf in leaves if not leaf.path.startswith(VALUE)]
        trial = Trial(setup.candidate, dtype, draw, another, answer, bounds, not why_not)
        checks = tuple(CONSISTENCY) if first and n == 0 else EVERY_DRAW
        found += _consistency(trial, checks, setup.options)
        failure = Failure(dtype, draw, truth, answer, leaves)
        outcome = outcome.plus(leaves, found, failure)
    return outcome


def _look(setup: Setup, draw: Draw, dtype: str, why_not: str) -> list[Finding]:
    """A first run as it comes: is what it returns a gradient at all?"""
    findings = []
    if why_not:
        text = f"run without jit: JAX cannot trace the code under test ({why_not})"
        findings.append(Finding("note", "eager", text, dtype))
    if setup.options.wants("structure"):
        args, gradients = setup.candidate.raw(draw.args, draw.dy, dtype, bool(why_not))
        for path, text in structure(setup.problem, args, gradients):
            text = f"{path}: {text}" if path else text
            findings.append(Finding("wrong", "structure", text, dtype, path=path))
    return findings


def _consistency(trial: Trial, checks: tuple[str, ...], options: Options) -> list[Finding]:
    """Those of the checks that are wanted and that make sense for the problem."""
    findings = []
    for name in checks:
        if not options.wants(name) or not trial.bounds:
            continue
        if name in NEED_COTANGENT and not trial.candidate.problem.cotangent:
            continue
        try:
            fault = CONSISTENCY[name](trial)
        except Exception as error:
            text = f"the code under test raised {type(error).__name__}: {error}".splitlines()[0]
            fault = "", text
        if fault:
            path, text = fault
            where = (trial.dtype, trial.draw.seed) if name in EVERY_DRAW else ("", None)
            findings.append(Finding("wrong", name, text, *where, path))
    return findings
