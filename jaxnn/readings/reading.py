"""What a reading is: a value that says what to make of the factors of a sweep.

A reading works in a few steps, each with a default, so that most readings write one:

    of(factor, c)        -> found     for each parameter, inside the backward sweep
    finish(readings, c)  -> state     over the whole tree, once the sweep is through
    pull(swept)          -> state     both of these, or other sweeps back than that of the errors
    merge(state, other)  -> state     of two micro-batches
    answer(state)        -> answer    when all is merged
    layers(found)        -> found     of n equal layers, stacked along a first axis, as of one

c holds the weights of the examples in the objective C = sum_n c_n l_n, a number or (batch,). The
errors in a factor are those of the l_n, not yet weighted, so what a reading says of single
examples is of l_n too: a "mean" puts no 1/N into it.
"""

import itertools
from collections.abc import Callable
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp

from jaxnn.core.composed import Stacked
from jaxnn.core.factors import Factor
from jaxnn.core.reader import Reader
from jaxnn.core.swept import Swept
from jaxnn.core.trees import over
from jaxnn.core.types import Array, ArrayLike, Tree
from jaxnn.core.values import Pytree, changed_fields, static


class Reading(Pytree):
    """Base of all readings. Numbers and arrays in it are leaves: another one does not compile anew.

    `per_example` says that it needs the gradients of single examples, which a layer that mixes the
    examples does not have. `concatenates` says that the answers for micro-batches are put one
    after the other; else their states are merged, by default added. `linear` says that `of` a sum
    of factors is the sum of what it is of each. A `name`, given in brackets behind the class, is
    that of its value in a module, and what it prints as.
    """

    name: ClassVar[str] = ""
    per_example: ClassVar[bool] = False
    concatenates: ClassVar[bool] = False
    linear: ClassVar[bool] = False

    def __init_subclass__(cls, name: str = "", **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.name = name

    def __repr__(self) -> str:
        plain = self.name and not changed_fields(self)
        return self.name if plain else super().__repr__()

    def __call__(self, factor: Factor, c: ArrayLike = 1.0) -> Any:
        """The reading of one parameter, without the steps over the whole tree."""
        return self.of(factor, c)

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        """What to keep of one parameter: by default the factor."""
        del c
        return factor

    def finish(self, readings: Tree, c: ArrayLike) -> Any:
        """What to keep of a mini-batch, given `of` in the place of every parameter."""
        del c
        return readings

    def pull(self, swept: Swept) -> Any:
        """The state of a mini-batch after its forward sweep: by default from one backward sweep.

        A reading of other errors than those of the targets goes back with `swept.back` itself.
        """
        told = self.counting(swept.own)
        return self.finish(swept.back(swept.deltas, told.reader(swept.c)), swept.c)

    def once(self) -> bool:
        """Whether one sweep back from the errors of the targets is all it needs."""
        return type(self).pull is Reading.pull

    def counting(self, own: Array | None) -> Self:
        """The same reading where the positions inside an example have the weights `own`, (batch,
        ...): one with a mean over positions leaves out those of weight 0."""
        del own
        return self

    def layers(self, found: Tree) -> Any:
        """What `of` gave for n equal layers, each leaf with a first axis of n, as for one: a
        reading with this method is read layer by layer, inside the scan of a `Repeat`. One without
        gets the factor of all layers, `Stacked`."""
        raise NotImplementedError(f"write {type(self).__name__}.layers(self, found)")

    def reader(self, c: ArrayLike) -> Reader:
        """`of` with these weights, as what a backward sweep calls. What a class says of itself,
        `linear` and `layers`, does not hold of a subclass with an `of` of its own."""
        of, linear, layers = (_owner(type(self), name) for name in ("of", "linear", "layers"))
        if of is Reading:
            told = Stacked
        else:
            told = self.layers if layers is not Reading and issubclass(layers, of) else None
        adds = self.linear and issubclass(linear, of)

        def rows(some: Array) -> Reader:
            return self.part(some).reader(jnp.asarray(c)[some] if jnp.ndim(c) else c)

        parts = rows if adds and not self.concatenates else None
        return Reader(lambda factor: self.of(factor, c), adds, told, parts)

    def merge(self, state: Tree, other: Tree) -> Any:
        """The state of two micro-batches together; a state of zeros is that of no examples."""
        return jax.tree.map(jnp.add, state, other)

    def join(self, states: Tree) -> Any:
        """The answer, given states stacked over k micro-batches, of a reading that concatenates."""
        return self.answer(
            jax.tree.map(lambda s: s.reshape(s.shape[0] * s.shape[1], *s.shape[2:]), states)
        )

    def answer(self, state: Tree) -> Any:
        """What the caller gets."""
        return state

    def part(self, rows: Tree) -> "Reading":
        """The same reading for some rows of the batch; one with numbers for each example cuts
        them."""
        del rows
        return self


def _owner(cls: type, name: str) -> type:
    """The class that an attribute comes from."""
    return next(base for base in cls.__mro__ if name in vars(base))


class Plain(Reading):
    """A function of a factor and c as a reading; how it merges nobody knows."""

    function: Callable[[Any, Any], Any] = static()

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return self.function(factor, c)

    def merge(self, state: Tree, other: Tree) -> Any:
        raise ValueError(
            f"expected readings that say how they merge over micro-batches, got the function "
            f"{self.function!r}; write it as the method `of` of a Reading, which adds up unless "
            "its `merge` or `concatenates` says otherwise"
        )


class Several(Reading):
    """Several readings of one sweep; the answer is a tuple of their answers."""

    readings: tuple[Reading, ...]

    def of(self, factor: Factor, c: ArrayLike) -> Any:
        return _Found(tuple(reading.of(factor, c) for reading in self.readings))

    def reader(self, c: ArrayLike) -> Reader:
        return _together([reading.reader(c) for reading in self.readings])

    def counting(self, own: Array | None) -> Self:
        return self.replace(readings=tuple(r.counting(own) for r in self.readings))

    def finish(self, readings: Tree, c: ArrayLike) -> Any:
        def ith(i: int) -> Any:
            return over(_Found, lambda found: found.parts[i], readings)

        return tuple(reading.finish(ith(i), c) for i, reading in enumerate(self.readings))

    def once(self) -> bool:
        return all(reading.once() for reading in self.readings)

    def pull(self, swept: Swept) -> Tree:
        """One sweep back for all that are content with it."""
        if self.once():
            return super().pull(swept)
        alike = [reading.once() for reading in self.readings]
        shared = Several(tuple(itertools.compress(self.readings, alike))).pull(swept)
        states = iter(shared)
        return tuple(
            next(states) if like else reading.pull(swept)
            for reading, like in zip(self.readings, alike, strict=True)
        )

    def answer(self, state: Tree) -> Any:
        return tuple(r.answer(s) for r, s in zip(self.readings, state, strict=True))


class _Found(Pytree):
    """What several readings keep of one parameter."""

    parts: tuple[Any, ...]


def _together(readers: list[Reader]) -> Reader:
    """What several readings ask, as one."""
    each, some = [r.layers for r in readers], [r.rows for r in readers]

    def layers(found: _Found) -> _Found:
        return _Found(tuple(f and f(part) for f, part in zip(each, found.parts, strict=True)))

    def rows(which: Array) -> Reader:
        return _together([part(which) for part in some if part])

    return Reader(
        lambda factor: _Found(tuple(reader(factor) for reader in readers)),
        all(reader.linear for reader in readers),
        None if None in each else layers,
        None if None in some else rows,
    )


def as_reading(read: Any) -> Reading:
    """The reading that `read` means: itself, a function, or several in a tuple.

    Raises TypeError for anything else.
    """
    if isinstance(read, Reading):
        return read
    if isinstance(read, tuple) and not any(isinstance(one, tuple) for one in read):
        return Several(tuple(as_reading(one) for one in read))
    if not callable(read) or isinstance(read, type):
        raise TypeError(
            "expected `read` to be a reading such as gradient or clipped(1.0), a function of "
            f"(factor, c), or a flat tuple of these, got {read!r}"
        )
    return Plain(read)


def total(tree: Tree) -> Any:
    """The sum over all parameters, such as the (batch,) squared norms of whole gradients.

    Raises ValueError for a tree without leaves.
    """
    leaves = jax.tree.leaves(tree)
    if not leaves:
        raise ValueError("total: expected readings of one or more parameters, got none")
    return sum(leaves[1:], leaves[0])
