"""What a caller may choose about a check. Every `check_...` takes these by keyword."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp

CHECKS = (
    "value",
    "structure",
    "finite",
    "gradient",
    "homogeneity",
    "zero_cotangent",
    "linearity",
    "eager",
    "vmap",
    "repeat",
    "unchanged",
)
LEVELS = {  # seeds, jitters, checks
    "quick": (1, 2, ("value", "structure", "finite", "gradient", "zero_cotangent")),
    "full": (3, 8, CHECKS),
    "exhaustive": (10, 16, CHECKS),
}
ORACLES = ("auto", "autodiff", "complex", "differences")


class Options(NamedTuple):
    """The choices, with their defaults.

    level: "quick", "full" or "exhaustive"; it sets seeds, jitters and checks where they are None.
    dtypes: the precisions to run in; "given" is that of the arguments.
    oracle: where the right gradient comes from; "auto" is autodiff of the reference where it can
        be traced by JAX, else central differences.
    seeds: how many draws, or which: a number n stands for 0 ... n-1.
    perturb: the size of the noise added to every argument that is differentiated by, relative to
        its root mean square. inputs: `seed -> args`, draws whole arguments instead; or the saved
        case of a failure, as `np.load` reads it, which is run again with its own seed and dtype.
    probes: random directions for each leaf, where the oracle gives directional derivatives.
    jitters: runs of the reference from which the noise of rounding is measured.
    safety: how many times that noise an error may be. rtol: used in its place where the reference
        cannot be run in the precision under test.
    known, constants: arrays and numbers by name that the diagnosis looks for in an error.
    toggles: by name, functions `args -> args` that make the problem simpler; a failing check says
        with which of them the error vanishes.
    """

    level: str = "full"
    dtypes: tuple[str, ...] = ("float64", "given")
    oracle: str = "auto"
    seeds: int | tuple[int, ...] | None = None
    perturb: float = 0.1
    inputs: Callable[[int], tuple[Any, ...]] | Mapping[str, Any] | None = None
    probes: int = 3
    jitters: int | None = None
    safety: float = 4.0
    rtol: float | None = None
    checks: tuple[str, ...] | None = None
    known: Mapping[str, Any] | Callable[..., Mapping[str, Any]] | None = None
    constants: Mapping[str, float] | None = None
    toggles: Mapping[str, Callable[..., Any]] | None = None

    @property
    def draws(self) -> tuple[int, ...]:
        """The seeds as numbers."""
        seeds = LEVELS[self.level][0] if self.seeds is None else self.seeds
        return tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)

    @property
    def runs(self) -> int:
        """How often the reference is run to measure the noise."""
        return LEVELS[self.level][1] if self.jitters is None else self.jitters

    def wants(self, check: str) -> bool:
        """Whether that check is to be made."""
        return check in (LEVELS[self.level][2] if self.checks is None else self.checks)


def read_options(given: dict[str, Any]) -> Options:
    """The options of a call. Raises TypeError for an unknown name, ValueError for such a value."""
    for name in given:
        if name not in Options._fields:
            close = difflib.get_close_matches(name, Options._fields, 1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise TypeError(
                f"there is no option {name!r}.{hint} The options are {', '.join(Options._fields)}."
            )
    options = Options(**given)
    if isinstance(case := options.inputs, Mapping):
        options = options._replace(seeds=(int(case["seed"]),), dtypes=(str(case["dtype"]),))
    _one_of("level", options.level, tuple(LEVELS))
    _one_of("oracle", options.oracle, ORACLES)
    for check in options.checks or ():
        _one_of("checks", check, CHECKS)
    for dtype in options.dtypes:
        if dtype != "given" and not jnp.issubdtype(jnp.dtype(dtype), jnp.floating):
            raise ValueError(f'dtypes: expected floating dtypes or "given", got {dtype!r}')
    if not options.draws or options.runs < 1 or options.probes < 1:
        raise ValueError("expected at least one seed, one jitter and one probe")
    if not options.perturb >= 0 or not options.safety > 0:
        raise ValueError(f"expected perturb >= 0 and safety > 0, got {options}")
    return options


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")
