"""What a check has found, as data: a `Leaf` for every gradient, a `Finding` for all else."""

import dataclasses
import math
from typing import Any, NamedTuple, Self

from jaxnn.check.diagnosis.diagnosis import Cause


class Leaf(NamedTuple):
    """One gradient, or output, of one draw in one precision.

    error and allowed are norms over the leaf; resolution = allowed / |reference| is the smallest
    relative error that would have been caught (inf for a gradient that is truly zero). `worst` is
    the index of the entry that is furthest off, with both values there.
    """

    path: str
    dtype: str
    seed: int
    error: float
    allowed: float
    size: float
    worst: tuple[int, ...]
    ours: float
    reference: float
    vanishes: bool
    excused: bool = False

    @property
    def ok(self) -> bool:
        """Within what rounding allows, nan is not, or right on the other side of a kink."""
        return self.error <= self.allowed or self.excused

    @property
    def over(self) -> float:
        """How many times the allowed error it is off."""
        if math.isnan(self.error):
            return math.inf
        return self.error / self.allowed if self.allowed else (math.inf if self.error else 0.0)

    @property
    def resolution(self) -> float:
        """The smallest relative error that this run would have caught."""
        return math.inf if self.vanishes else self.allowed / self.size


class Finding(NamedTuple):
    """Something to say: verdict "wrong", "inconclusive" or "note"; the check that found it, and
    the precision, the draw and the gradient it is about, where it is not about all of them."""

    verdict: str
    check: str
    text: str
    dtype: str = ""
    seed: int | None = None
    path: str = ""


@dataclasses.dataclass(frozen=True)
class Record:
    """The fields of a `Report`, and what follows from them."""

    title: str
    oracle: str
    seeds: tuple[int, ...]
    dtypes: tuple[str, ...]
    leaves: tuple[Leaf, ...] = ()
    findings: tuple[Finding, ...] = ()
    place: str = ""
    cause: Cause | None = None
    repeat: str = ""
    case: Any = None

    @property
    def verdict(self) -> str:
        """ "ok", "wrong" or "inconclusive"; what is wrong outweighs what is inconclusive."""
        found = {finding.verdict for finding in self.findings}
        if "wrong" in found or not all(leaf.ok for leaf in self.leaves):
            return "wrong"
        return "inconclusive" if "inconclusive" in found or not self.leaves else "ok"

    @property
    def ok(self) -> bool:
        """True only for a check that was made and passed: inconclusive is not ok."""
        return self.verdict == "ok"

    def caught(self, dtype: str, seed: int) -> bool:
        """Whether something is wrong in that precision at that draw."""
        leaves = (leaf for leaf in self.leaves if (leaf.dtype, leaf.seed) == (dtype, seed))
        findings = (f for f in self.findings if f.dtype in (dtype, "") and f.seed in (seed, None))
        return not all(leaf.ok for leaf in leaves) or any(f.verdict == "wrong" for f in findings)

    @property
    def worst(self) -> tuple[Leaf, ...]:
        """For every path and precision the leaf that is furthest over what is allowed."""
        found: dict[tuple[str, str], Leaf] = {}
        for leaf in self.leaves:
            known = found.setdefault((leaf.path, leaf.dtype), leaf)
            if leaf.over > known.over:
                found[leaf.path, leaf.dtype] = leaf
        return tuple(found.values())

    @property
    def wrong(self) -> tuple[str, ...]:
        """The paths whose gradient is wrong, in any precision."""
        return tuple(dict.fromkeys(leaf.path for leaf in self.leaves if not leaf.ok))

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)
