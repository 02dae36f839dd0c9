"""Running the code under test, and what can be said of it without knowing the right gradient."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.check.numeric.arrays import FLOAT0, cast, dtype_of, is_inexact, named, precision
from jaxnn.check.numeric.programs import NOT_TRACEABLE
from jaxnn.check.problem import Problem, aligned, full_cotangent, inexact_leaves
from jaxnn.core.types import ArrayLike, Tree


class Answer(NamedTuple):
    """The output's leaves and the gradients' leaves that the code under test gave, as float64."""

    y: list[np.ndarray]
    gradients: list[np.ndarray]


class Candidate:
    """The code under test, to be run in any precision, compiled where JAX can trace it."""

    def __init__(self, problem: Problem, like: tuple[Tree, ...]) -> None:
        self.problem, self.like = problem, like
        self.compiled = jax.jit(self.traced)

    def traced(self, args: tuple[Tree, ...], dy: list[ArrayLike]) -> tuple[list[Any], list[Any]]:
        """(y, gradients) at the inexact leaves, None for a gradient that was left out."""
        y = self.problem.forward(*args)
        variables = self.problem.variables(args)
        found, _ = aligned(self.problem.backward(args, full_cotangent(y, dy)), variables)
        leaves = jax.tree.leaves(variables)
        gradients = [g for g, leaf in zip(found, leaves, strict=True) if is_inexact(leaf)]
        return inexact_leaves(y), gradients

    def run(
        self, args: tuple[Tree, ...], dy: list[ArrayLike], dtype: str, eager: bool = False
    ) -> Answer:
        """The answer in that precision."""
        with precision(dtype):
            inputs = cast(args, dtype, self.like), cast(dy, dtype, dy)
            y, gradients = (self.traced if eager else self.compiled)(*inputs)
            shapes = [np.shape(leaf) for leaf in inexact_leaves(self.problem.variables(args))]
            filled = [
                np.zeros(shape) if g is None else np.asarray(g, np.float64)
                for g, shape in zip(gradients, shapes, strict=True)
            ]
            return Answer([np.asarray(a, np.float64) for a in y], filled)

    def raw(
        self, args: tuple[Tree, ...], dy: list[ArrayLike], dtype: str, concrete: bool
    ) -> tuple[Any, Any]:
        """The arguments and what `backward` returns for them, as shapes unless `concrete`."""
        with precision(dtype):
            args, dy = cast(args, dtype, self.like), cast(dy, dtype, dy)

            def gradients(args: tuple[Tree, ...], dy: Tree) -> Any:
                y = self.problem.forward(*args)
                return self.problem.backward(args, full_cotangent(y, dy))

            return args, (gradients if concrete else partial(jax.eval_shape, gradients))(args, dy)

    def untraceable(self, args: tuple[Tree, ...], dy: list[ArrayLike], dtype: str) -> str:
        """Why JAX cannot trace the code; empty if it can."""
        with precision(dtype):
            try:
                self.compiled.eval_shape(cast(args, dtype, self.like), cast(dy, dtype, dy))
            except NOT_TRACEABLE as error:
                return type(error).__name__
        return ""


def structure(problem: Problem, args: tuple[Tree, ...], gradients: Tree) -> list[tuple[str, str]]:
    """In what the gradients do not mirror the arguments, by path: structure, shape, dtype, and
    nothing for integers."""
    variables = problem.variables(args)
    if not isinstance(gradients, tuple) or len(gradients) != len(variables):
        text = f"backward returned {type(gradients).__name__}, expected a tuple of {len(variables)}"
        return [("", text + ", one gradient for each argument")]
    found, problems = aligned(gradients, variables)
    named_problems = [(problem.path(keys), text) for keys, text in problems]
    leaves: dict[str, Any] = {}
    for i in problem.wrt:
        leaves |= named(args[i], problem.names[i])
    for (path, leaf), gradient in zip(leaves.items(), found, strict=True):
        text = _mismatch(leaf, gradient)
        named_problems += [(path, text)] if text else []
    return named_problems


def _mismatch(leaf: ArrayLike, gradient: ArrayLike) -> str:
    if gradient is None or (not is_inexact(leaf) and dtype_of(gradient) == FLOAT0):
        return ""
    if not is_inexact(leaf):
        return f"of integers: expected None or float0, got {dtype_of(gradient)}"
    ours = (np.shape(gradient), jnp.dtype(dtype_of(gradient)))
    expected = (np.shape(leaf), jnp.dtype(dtype_of(leaf)))
    if ours == expected:
        return ""
    return f"the gradient is {ours[1]}{ours[0]}, expected {expected[1]}{expected[0]}"
