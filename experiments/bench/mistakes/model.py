"""What a planted mistake is: a right forward pass, and a backward pass wrong in one known way.

The models are plain functions, not layers of the library, so that the checker meets them as it
meets the code of its users. Arguments and outputs are pytrees of arrays of any floating dtype.
"""

from collections.abc import Callable
from typing import Any, NamedTuple


class Mistake(NamedTuple):
    """One wrong backward pass. `place` is the path of the last leaf, in the order in which the
    forward pass uses the arguments, whose gradient is wrong; `cause` is the kind of cause that a
    good report names, for the mistakes that have a recognisable one; `equivalent` says why the
    backward pass is not wrong after all."""

    number: int
    name: str
    place: str = ""
    cause: str = ""
    equivalent: str = ""


class Candidate(NamedTuple):
    """Somebody's code under test: `forward(*args) -> y` and `backward(args, dy) -> dargs`, a tuple
    with a gradient for every argument, None for one of integers."""

    forward: Callable[..., Any]
    backward: Callable[[tuple[Any, ...], Any], tuple[Any, ...]]


class Model(NamedTuple):
    """A forward pass in plain JAX, `draw(seed)` for its arguments (float32 arrays and integers),
    and `plant(number)` for a candidate with that mistake; 0 is the right one.

    `constants` are numbers that a wrong factor may turn out to be, `known` is a function of the
    arguments that names the arrays worth looking for in an error (a mask, 1/std)."""

    name: str
    forward: Callable[..., Any]
    draw: Callable[[int], tuple[Any, ...]]
    plant: Callable[[int], Candidate]
    mistakes: tuple[Mistake, ...]
    constants: dict[str, float] = {}  # noqa: RUF012 - never changed
    known: Callable[..., dict[str, Any]] | None = None
