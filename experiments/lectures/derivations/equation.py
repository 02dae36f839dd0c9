"""What an equation is: something to run, and what it is compared with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from experiments.lectures.derivations.network import ONE_EXAMPLE, Case, Setting

Side = Callable[[Case], Any]


@dataclass(frozen=True)
class Equation:
    """An equation of a source. No verdict stands here: `judge` finds it.

    number   as in the source; a section or a step where the source numbers nothing
    claim    what it says, in short
    truth    what the claim is about, by `jax.grad` or from the definition
    written  the right-hand side exactly as it stands
    setting  the network and the examples it is run on
    right    the right-hand side as it should be; None if nobody expects it to be needed
    wrong    what is wrong with it, in words
    form     the right form, in letters
    """

    number: str
    claim: str
    truth: Side
    written: Side
    setting: Setting = ONE_EXAMPLE
    right: Side | None = None
    wrong: str = ""
    form: str = ""


@dataclass(frozen=True)
class Source:
    """A set of notes and its equations."""

    name: str
    title: str
    equations: tuple[Equation, ...]
