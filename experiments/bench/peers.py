"""Other ways to check a gradient, on the same planted mistakes and at the same seeds.

Whatever a checker raises counts as caught, for its user would see it. It gets the code under test
as a `jax.custom_vjp`, with integer arguments bound. `jax.test_util` and chex have the caller choose
the order: 1, and 2 as well for a scalar loss, as our own checker is used here.
"""

import contextlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench.mistakes.case import Case, case_of
from experiments.bench.mistakes.model import Model


class Peer(NamedTuple):
    """A checker by name, with the precision it runs in, and `check(case)`, which raises if it finds
    something."""

    name: str
    dtype: str
    check: Callable[[Case], None]


class Row(NamedTuple):
    """What a peer said of one mistake, 0 for right code, seed by seed; nothing where it passed."""

    peer: str
    model: str
    number: int
    said: tuple[str, ...]

    @property
    def caught(self) -> list[bool]:
        """Whether it said something."""
        return [bool(text) for text in self.said]


def rows(peer: Peer, model: Model, seeds: tuple[int, ...]) -> list[Row]:
    """The peer on the right code and on the mistakes of a model, without those that are none."""
    numbers = [0, *(mistake.number for mistake in model.mistakes if not mistake.equivalent)]
    return [
        Row(peer.name, model.name, number, tuple(said(peer, model, number, s) for s in seeds))
        for number in numbers
    ]


def said(peer: Peer, model: Model, number: int, seed: int) -> str:
    """What the peer has to say at one seed."""
    with jax.enable_x64(True) if peer.dtype == "float64" else contextlib.nullcontext():
        try:
            peer.check(case_of(model, number, seed, peer.dtype))
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def as_custom_vjp(case: Case) -> Callable[..., Any]:
    """y as a function of the arrays that have a gradient, with the rule of the candidate."""
    rule = jax.custom_vjp(case.candidate.forward)
    rule.defvjp(lambda *args: (case.candidate.forward(*args), args), case.candidate.backward)
    return lambda *leaves: rule(*case.joined(leaves))


def orders(case: Case) -> tuple[int, ...]:
    """1, and 2 for a scalar loss."""
    return (1, 2) if np.shape(case.candidate.forward(*case.args)) == () else (1,)


def check_grads(case: Case) -> None:
    """`jax.test_util.check_grads` with its own tolerances; a custom rule has no forward mode."""
    from jax.test_util import check_grads

    for order in orders(case):
        check_grads(as_custom_vjp(case), case.leaves, order=order, modes=["rev"])


def chex_grads(case: Case) -> None:
    """`chex.assert_numerical_grads` with its own tolerance. By default it asks for forward mode as
    well, which refuses every `jax.custom_vjp`, right or wrong; so the mode is chosen for it."""
    from chex import assert_numerical_grads

    for order in orders(case):
        assert_numerical_grads(as_custom_vjp(case), case.leaves, order=order, modes=["rev"])


def allclose(tolerance: float) -> Callable[[Case], None]:
    """Value and gradients beside those of `jax.vjp` in the same precision, entry by entry, with
    atol = rtol = tolerance: what tests of kernels do. The cotangent is random, and 1 for a loss."""

    def check(case: Case) -> None:
        forward = case.model.forward
        y, pull = jax.vjp(lambda *leaves: forward(*case.joined(leaves)), *case.leaves)
        rng = np.random.default_rng([case.seed, 1])
        dy = jnp.asarray(rng.normal(size=y.shape) if y.ndim else 1.0, y.dtype)
        close = partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
        close(case.candidate.forward(*case.args), y)
        ours = jax.tree.leaves(case.candidate.backward(case.args, dy))
        for a, b in zip(ours, pull(dy), strict=True):
            close(a, b)

    return check


def peers() -> list[Peer]:
    """All of them, those of torch only where torch is installed."""
    found = [
        Peer("jax.test_util.check_grads float32", "float32", check_grads),
        Peer("jax.test_util.check_grads float64", "float64", check_grads),
        Peer("chex.assert_numerical_grads float32", "float32", chex_grads),
        Peer("chex.assert_numerical_grads float64", "float64", chex_grads),
        Peer("allclose(jax.grad) float32, 1e-2", "float32", allclose(1e-2)),
        Peer("allclose(jax.grad) float32, 1e-5", "float32", allclose(1e-5)),
    ]
    if importlib.util.find_spec("torch"):
        from experiments.bench import torch_peer

        found += [
            Peer("torch.autograd.gradcheck slow float64", "float64", torch_peer.slow),
            Peer("torch.autograd.gradcheck fast float64", "float64", torch_peer.fast),
        ]
    return found
