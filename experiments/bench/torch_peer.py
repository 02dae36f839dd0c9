"""`torch.autograd.gradcheck` on the planted mistakes: JAX computes, torch checks.

The code under test becomes a `torch.autograd.Function` over numpy arrays that share the memory of
the tensors. Models whose mistakes keep a state between calls run without jit, which would freeze
it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

from experiments.bench.mistakes.case import Case

WITH_STATE = ("dense_counts", "dense_numpy")


def function(case: Case) -> Callable[..., Any]:
    """y as a torch function of the arrays that have a gradient."""
    forward, backward = case.candidate
    if case.model.name not in WITH_STATE:
        forward, backward = jax.jit(forward), jax.jit(backward)

    class Function(torch.autograd.Function):
        """The candidate's two passes."""

        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return _tensor(forward(*_arguments(case, tensors)))

        @staticmethod
        def backward(ctx: Any, dy: Any) -> Any:
            args = _arguments(case, ctx.saved_tensors)
            grads = backward(args, jnp.asarray(dy.numpy()))
            return tuple(_tensor(g) for g in _per_leaf(args, grads))

    return Function.apply


def _arguments(case: Case, tensors: Any) -> tuple[Any, ...]:
    """The tensors in the places of the arguments, as numpy where those were numpy."""
    pairs = zip(case.leaves, (t.detach().numpy() for t in tensors), strict=True)
    return case.joined([t if isinstance(a, np.ndarray) else jnp.asarray(t) for a, t in pairs])


def _per_leaf(args: Any, grads: Any) -> list[Any]:
    """The gradients of the arrays of floats; ValueError where there is one too many or too few."""
    found = jax.tree.leaves(grads, is_leaf=lambda g: g is None)
    leaves = jax.tree.leaves(args)
    pairs = zip(leaves, found, strict=True)
    return [g for a, g in pairs if jnp.issubdtype(a.dtype, jnp.floating)]


def _tensor(a: Any) -> Any:
    return None if a is None else torch.from_numpy(np.array(a))


def gradcheck(case: Case, fast_mode: bool) -> None:
    """With its own steps and tolerances; torch's generator starts anew for every run."""
    torch.manual_seed(0)
    inputs = [torch.from_numpy(np.array(a)).requires_grad_() for a in case.leaves]
    torch.autograd.gradcheck(function(case), inputs, fast_mode=fast_mode)


slow = partial(gradcheck, fast_mode=False)
fast = partial(gradcheck, fast_mode=True)
