"""Would this test catch a mistake? The test is run on a backward pass with mistakes planted in it.

    def test(backward):
        assert_grad(loss, backward, params, x, y)

    print(sensitivity(test, manual))

A test that passes says nothing until it is known what makes it fail.
"""

import dataclasses
import functools
import textwrap
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxnn.check.planting.mutants import Call, Mutant, is_float, mutants
from jaxnn.core.types import ArrayLike, Tree


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """The mistakes that a test caught, those that it let through, and, in words, those that could
    not be planted or that changed nothing. `str(sensitivity)` is the text to read."""

    caught: tuple[Mutant, ...]
    survived: tuple[Mutant, ...]
    not_applicable: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no mistake got through."""
        return not self.survived

    def __str__(self) -> str:
        total = len(self.caught) + len(self.survived)
        if self.ok:
            lines = [f"your check catches all {total} mistakes"]
        else:
            lines = [f"your check lets {len(self.survived)} of {total} mistakes through:"]
            lines += [f"  {mutant}" for mutant in self.survived]
            lines += _wrapped("caught", [str(mutant) for mutant in self.caught])
        return "\n".join(lines + _wrapped("not applicable", list(self.not_applicable)))


def sensitivity(
    check: Callable[[Callable[..., Any]], Any],
    backward: Callable[..., Any],
    *,
    cotangent: bool = False,
    every_leaf: bool = False,
) -> Sensitivity:
    """Runs `check(f)` on f = backward, and on f = backward with each mistake, about 20 in all.

    backward is any function that returns gradients, and check(f) the test of it. A mistake is
    caught if check raises, returns something false, or a report that is not ok; it returns nothing
    otherwise, or something true. With `cotangent` the last argument of backward is one, and is
    tampered with. A mistake of a single leaf is planted in the largest that can have it, with
    `every_leaf` in each.

    Raises ValueError if check does not pass on backward as it is, or never calls what it is given.
    """
    plain = _Planted(backward)
    outcome, error = _try(check, plain)
    if plain.call is None:
        text = "check never called the function it was given: expected check(f) to test f"
        raise ValueError(text + f"; it {outcome}" if outcome else text) from error
    if outcome:
        text = "expected a check that passes on the backward pass as it is, got one that"
        raise ValueError(f"{text} {outcome}; mend either of them first") from error
    planned, missing = mutants(plain.gradients, plain.call, cotangent, every_leaf)
    caught, survived = [], []
    for mutant in planned:
        planted = _Planted(backward, mutant)
        outcome, _ = _try(check, planted)
        if outcome and not planted.made:
            missing.append(f"{mutant}: the check {outcome} before it was made")
        elif outcome:
            caught.append(mutant)
        elif planted.matters:
            survived.append(mutant)
        else:
            missing.append(f"{mutant}: it changes nothing in this check")
    return Sensitivity(tuple(caught), tuple(survived), tuple(missing))


class _Planted:
    """The backward pass with a mistake, and what became of it in a run of the check.

    call, gradients: of the first call, as shapes. made: whether the mistake could be, when last
    tried. matters: whether any call returned other numbers for it.
    """

    def __init__(self, backward: Callable[..., Any], mutant: Mutant | None = None) -> None:
        self.backward, self.mutant = backward, mutant
        self.call: Call | None = None
        self.gradients: Any = None
        self.made = self.matters = False

    def function(self) -> Callable[..., Any]:
        """To be given to the check: a plain function with the name of the original."""

        @functools.wraps(self.backward)
        def planted(*args: Any, **keywords: Any) -> Any:
            call = Call(self.backward, args, keywords)
            gradients = call.again(*args)
            if self.call is None:
                self.call, self.gradients = call._replace(args=_shapes(args)), _shapes(gradients)
            if self.mutant is None:
                return gradients
            self.made = False
            with np.errstate(all="ignore"):
                changed = self.mutant.plant(gradients, call)
                _tell(differ(gradients, changed), self._note)
            self.made = True
            return changed

        return planted

    def _note(self, differs: Any) -> None:
        self.matters = self.matters or bool(differs)


def differ(a: Any, b: Any) -> Any:
    """Whether two trees of gradients differ by more than rounding, relative to the largest entry.

    A traced boolean if they are traced. True for other structures, shapes or dtypes.
    """
    if jax.tree.structure(a) != jax.tree.structure(b):
        return True
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    pairs = [(g, m) for g, m in pairs if is_float(g)]
    if any(np.shape(g) != np.shape(m) or _dtype(g) != _dtype(m) for g, m in pairs):
        return True
    traced = any(isinstance(leaf, Tracer) for pair in pairs for leaf in pair)
    xp, wide = (jnp, jnp.result_type(float)) if traced else (np, np.dtype(float))

    def largest(arrays: list[ArrayLike]) -> Any:
        return xp.max(xp.stack([xp.max(xp.abs(a), initial=0).astype(wide) for a in arrays]))

    if not pairs:
        return False
    eps = max(float(jnp.finfo(_dtype(g)).eps) for g, _ in pairs)
    off, size = largest([g - m for g, m in pairs]), largest([g for g, _ in pairs])
    return ~(off <= 4 * eps * size)  # not a number is other than any


def _tell(value: Any, note: Callable[[Any], None]) -> None:
    """note(value), in a traced program whenever it runs."""
    if isinstance(value, Tracer):
        jax.debug.callback(note, value)
    else:
        note(value)


def _dtype(leaf: ArrayLike) -> Any:
    return jnp.dtype(leaf.dtype if hasattr(leaf, "dtype") else type(leaf))


def _shapes(tree: Tree) -> Any:
    """Arrays and numbers as shapes, so that no tracer is kept; all else as it is."""

    def shape(a: Any) -> Any:
        if hasattr(a, "shape") and hasattr(a, "dtype"):
            return jax.ShapeDtypeStruct(a.shape, a.dtype)
        return jax.ShapeDtypeStruct((), _dtype(a)) if is_float(a) else a

    return jax.tree.map(shape, tree)


def _try(check: Callable[[Any], Any], planted: _Planted) -> tuple[str, BaseException | None]:
    """In words, how the check failed, empty if it passed; and what it raised."""
    try:
        result = check(planted.function())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # that of pytest.fail is no Exception
        return f"raised {type(error).__name__}: {error}".partition("\n")[0], error
    jax.effects_barrier()  # until the notes of traced programs have arrived
    passed = True if result is None else result.ok if hasattr(result, "ok") else bool(result)
    return ("" if passed else f"returned {result!r:.80}"), None


def _wrapped(head: str, items: list[str]) -> list[str]:
    if not items:
        return []
    text = f"{head} ({len(items)}): {'; '.join(items)}"
    return textwrap.wrap(text, 100, subsequent_indent="  ")
