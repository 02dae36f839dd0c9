"""What all draws of one check share, and how a draw is made."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxnn.check.numeric.arrays import exact, perturbed, rounded
from jaxnn.check.options import Options
from jaxnn.check.problem import Problem
from jaxnn.check.reference.sources import Source
from jaxnn.check.reference.truth import Draw, coarse
from jaxnn.check.trial.candidate import Candidate
from jaxnn.check.trial.cases import draw_of
from jaxnn.core.types import Tree


class Setup(NamedTuple):
    """What all draws of one check share."""

    problem: Problem
    args: tuple[Tree, ...]
    options: Options
    candidate: Candidate
    source: Source
    shapes: list[tuple[int, ...]]

    def draw(self, dtype: str, seed: int) -> Draw:
        """Arguments and cotangent that the precision whose noise is measured holds exactly."""
        wrt, options, held = self.problem.wrt, self.options, coarse(dtype)
        rng = np.random.default_rng([seed, 0])
        if isinstance(options.inputs, Mapping) and seed == int(options.inputs["seed"]):
            return draw_of(options.inputs, self.args, held)
        args = exact(options.inputs(seed) if callable(options.inputs) else self.args)
        args = tuple(
            perturbed(a, options.perturb, rng) if i in wrt else a for i, a in enumerate(args)
        )
        random = self.problem.cotangent
        dy = [rng.normal(size=shape) if random else np.ones(()) for shape in self.shapes]
        return Draw(seed, held, rounded(args, held), rounded(dy, held))
