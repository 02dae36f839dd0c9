"""Our checker on the planted mistakes: is each one caught, and are place and cause named right?

A run is one mistake at one seed in one precision. All seeds share one call, which makes the checks
that cost extra runs at the first seed and precision alone; a run that it did not catch is repeated
by itself.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments.bench.mistakes.model import Mistake, Model
from jaxnn.check import Report, check_second_order, check_vjp
from jaxnn.check.problem import argument_names

JUDGED = ("float64", "float32")
DTYPES = (*JUDGED, "bfloat16", "float16")


class Score(NamedTuple):
    """What a mistake met with: for each precision whether it was caught, seed by seed, and what
    the report named. `cause_right` is None where the list asks for no cause."""

    model: str
    mistake: Mistake
    caught: dict[str, list[bool]]
    place: str
    place_right: bool
    cause: str
    cause_right: bool | None
    seconds: float


class Alarms(NamedTuple):
    """Right code of one model in one precision: at how many of the seeds it does not pass, being
    called wrong or not judged, and the report if there is one such seed."""

    model: str
    dtype: str
    seeds: int
    bad: int
    report: str


def judge(model: Model, mistake: Mistake, seeds: tuple[int, ...], **options: Any) -> Score:
    """Plant the mistake, check it, and compare the report with what the list says."""
    started = time.perf_counter()
    reports = [check(model, mistake.number, seeds, JUDGED, **options)]
    if reports[0].ok and is_scalar(model):
        reports.append(second_order(model, mistake.number, seeds, JUDGED))
    report = reports[-1]
    caught = {d: [report.caught(d, seed) for seed in seeds] for d in JUDGED}
    if report.verdict == "wrong":
        for dtype in JUDGED:
            for i, seed in enumerate(seeds):
                if not caught[dtype][i]:
                    alone = check(model, mistake.number, (seed,), (dtype,), **options)
                    caught[dtype][i] = alone.caught(dtype, seed)
    cause = report.cause.kind if report.cause else ""
    return Score(
        model=model.name,
        mistake=mistake,
        caught=caught,
        place=report.place,
        place_right=not mistake.place or report.place in names_of(model, mistake.place),
        cause=cause,
        cause_right=cause in mistake.cause.split("|") if mistake.cause else None,
        seconds=time.perf_counter() - started,
    )


def check(
    model: Model, number: int, seeds: tuple[int, ...], dtypes: tuple[str, ...], **options: Any
) -> Report:
    """The report of `check_vjp` on a model with that mistake, 0 for the right one."""
    candidate = model.plant(number)
    return check_vjp(
        candidate.forward,
        candidate.backward,
        model.draw(seeds[0]),
        reference=model.forward,
        inputs=model.draw,
        perturb=0.0,
        seeds=seeds,
        dtypes=dtypes,
        known=model.known,
        constants=model.constants,
        **options,
    )


def second_order(
    model: Model, number: int, seeds: tuple[int, ...], dtypes: tuple[str, ...]
) -> Report:
    """The report of `check_second_order` on a scalar loss, by all its arguments of floats."""
    first = model.draw(seeds[0])
    moving = [i for i, arg in enumerate(first) if is_moving(arg)]
    fixed = [i for i in range(len(first)) if i not in moving]
    candidate = model.plant(number)

    def split(args: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(args[i] for i in moving), *(args[i] for i in fixed)

    def joined(params: Any, rest: tuple[Any, ...]) -> tuple[Any, ...]:
        found = dict(zip((*moving, *fixed), (*params, *rest), strict=True))
        return tuple(found[i] for i in range(len(found)))

    def loss(params: Any, *rest: Any) -> Any:
        return model.forward(*joined(params, rest))

    def manual(params: Any, *rest: Any) -> Any:
        args = joined(params, rest)
        dy = jnp.ones((), jax.eval_shape(model.forward, *args).dtype)
        return split(candidate.backward(args, dy))[0]

    return check_second_order(
        loss,
        manual,
        *split(first),
        inputs=lambda seed: split(model.draw(seed)),
        perturb=0.0,
        seeds=seeds,
        dtypes=dtypes,
    )


def alarms(
    model: Model,
    seeds: tuple[int, ...],
    dtypes: tuple[str, ...],
    by: Callable[..., Report] = check,
) -> list[Alarms]:
    """How often right code does not pass in each precision, by `check` or by `second_order`."""
    report = by(model, 0, seeds, dtypes)
    doubts = [finding for finding in report.findings if finding.verdict == "inconclusive"]
    found = []
    for dtype in dtypes:
        unsure = {finding.seed for finding in doubts if finding.dtype in ("", dtype)}
        bad = [s for s in seeds if {s, None} & unsure or report.caught(dtype, s)]
        text = str(report) if bad else ""
        found.append(Alarms(model.name, dtype, len(seeds), len(bad), text))
    return found


def is_scalar(model: Model) -> bool:
    """Whether its output is one number, a loss."""
    return jax.eval_shape(model.forward, *model.draw(0)).shape == ()


def is_moving(arg: Any) -> bool:
    """Whether an argument is of floating numbers, and so has a gradient."""
    return all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(arg))


def names_of(model: Model, place: str) -> tuple[str, ...]:
    """A path by position, `[1]['w']`, as the reports of first and second order write it."""
    number, rest = place[1:].split("]", 1)
    arguments = argument_names(model.forward, len(model.draw(0)))
    return arguments[int(number)] + rest, f"params{place}"
