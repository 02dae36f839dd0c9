"""What the draws of a check did not exercise: mistakes there would not have been seen."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.kinks.distance import Site, kink_distance
from jaxnn.check.numeric.arrays import cast, dtype_of, is_inexact, named, precision
from jaxnn.check.report.record import Finding
from jaxnn.check.report.report import Report
from jaxnn.check.trial.setup import Setup
from jaxnn.core.types import ArrayLike


def unexercised(report: Report, setup: Setup) -> Report:
    """The report with a note for each thing that the arguments never did."""
    texts = _inputs(setup)
    if not setup.problem.paths(setup.args):
        texts.append("no argument is of floating numbers: there was no gradient to check")
    if setup.source.is_autodiff and setup.options.level != "quick":
        texts += _sides(setup)
    notes = [Finding("note", "exercise", text) for text in dict.fromkeys(texts)]
    return report.replace(findings=report.findings + tuple(notes))


def _inputs(setup: Setup) -> list[str]:
    """Indices that never repeat, masks that are all one or all zero, batches of one."""
    found = []
    for name, arg in zip(setup.problem.names, setup.args, strict=True):
        for path, leaf in named(arg, name).items():
            found += _about(path, leaf, bool(setup.options.perturb))
    return found


def _sides(setup: Setup) -> list[str]:
    """Comparisons that came out one way in every draw, and inputs that sit on a kink."""
    seen: dict[tuple[str, str], Site] = {}
    for seed in setup.options.draws:
        draw = setup.draw("float64", seed)
        with precision("float64"):
            kinks = kink_distance(setup.problem.reference, *cast(draw.args, "float64", setup.args))
        for site in kinks.sites:
            where = site.primitive, site.place
            seen[where] = site.plus(seen[where]) if where in seen else site
    return [text for text in map(_about_site, seen.values()) if text]


def _about_site(site: Site) -> str:
    where = f"{site.primitive} in {site.place}"
    if site.unseen:
        return f"the {where} was not looked into: {site.unseen}"
    if site.ties:
        return f"{site.ties} ties at the {where}: gradients there are convention"
    if site.one_sided and site.below + site.above > 1:
        return f"the {where} only ever came out one way"
    return ""


def _about(path: str, leaf: ArrayLike, perturbed: bool) -> list[str]:
    if jnp.issubdtype(dtype_of(leaf), jax.dtypes.prng_key):
        return []
    a = np.asarray(leaf)
    notes = []
    if is_inexact(leaf):
        if a.ndim > 1 and len(a) == 1:
            notes.append(f"{path} has a single row: sums over it were not seen")
        if not perturbed and a.size > 1 and len(np.unique(a)) == 1:
            notes.append(f"{path} is {a.flat[0]:g} everywhere")
    elif a.size > 1:
        values = np.unique(a)
        if a.dtype.kind == "b" and len(values) == 1:
            notes.append(f"the mask {path} is {values[0]} everywhere")
        elif a.dtype.kind in "iu" and len(values) == a.size:
            notes.append(f"no index in {path} is met twice")
    return notes
