"""Forward and backward of one layer, given dy: by hand, by autodiff, by torch.

What must agree between them is (y, dx, the gradients of the parameters). The output is returned, as
in a network whose next layer needs it; dy comes from outside, so that no program can guess it. A
first layer goes back without dx, which nobody there asks for.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn as nn
from experiments.bench.method import Program


class Inputs(NamedTuple):
    """Parameters, input, derivative by the output, and a key for layers that are random."""

    params: Any
    x: Any
    dy: Any
    key: Any


def draw(layer: nn.Layer, shape: tuple[int, ...], ids: int = 0) -> Callable[[Any], Inputs]:
    """Normal inputs of that shape, or so many different ids; small normal parameters."""

    def drawn(rng: Any) -> Inputs:
        def normal(like: Any, scale: float = 1.0) -> Any:
            return jnp.asarray(scale * rng.normal(size=like.shape), like.dtype)

        key = jax.random.key(int(rng.integers(2**31)))
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        x = jnp.asarray(rng.integers(0, ids, shape), jnp.int32) if ids else normal(x)
        like = jax.eval_shape(layer.init, key, x)
        params = jax.tree.map(lambda a: normal(a, 0.1), like)
        y = jax.eval_shape(lambda: layer.forward(params, x, key)[0])
        return Inputs(params, x, normal(y), key)

    return drawn


def by_hand(layer: nn.Layer, first: bool = False) -> Callable[[Inputs], Program]:
    """The layer's own backward."""

    def both(inputs: Inputs) -> Any:
        y, residuals = layer.forward(inputs.params, inputs.x, inputs.key)
        dx, grads = layer.backward(inputs.params, residuals, inputs.dy, nn.gradient)
        return y, None if first else dx, grads

    return lambda inputs: Program(both, inputs)


def by_autodiff(function: Callable[..., Any], first: bool = False) -> Callable[[Inputs], Program]:
    """`jax.vjp` of `function(params, x, key)`; by x too unless x is of integers."""

    def both(inputs: Inputs) -> Any:
        params, x, dy, key = inputs
        if first or jnp.issubdtype(x.dtype, jnp.integer):
            y, pull = jax.vjp(lambda p: function(p, x, key), params)
            return y, None, pull(dy)[0]
        y, pull = jax.vjp(lambda p, x: function(p, x, key), params, x)
        grads, dx = pull(dy)
        return y, dx, grads

    return lambda inputs: Program(both, inputs)


def by_torch(
    function: Callable[..., Any], first: bool = False
) -> Callable[[Inputs], Callable[[], Any]]:
    """Eager torch: `function(torch, parameters, x)`, the parameters a list in our order."""

    def make(inputs: Inputs) -> Callable[[], Any]:
        import torch  # pyright: ignore[reportMissingImports] - the extra `bench`

        gpu = on_gpu(torch)
        params, x, dy = (
            [torch.tensor(np.asarray(a), device="cuda" if gpu else "cpu") for a in leaves]
            for leaves in map(jax.tree.leaves, inputs[:3])
        )
        (x,), (dy,) = x, dy
        trained = params if first else [x, *params]
        wanted = [a.requires_grad_() for a in trained if a.is_floating_point()]

        def both() -> Any:
            for tensor in wanted:
                tensor.grad = None
            y = function(torch, params, x)
            if wanted:
                y.backward(dy)
            if gpu:
                torch.cuda.synchronize()
            return y, x.grad, [p.grad for p in params]

        return both

    return make


def on_gpu(torch: Any) -> bool:
    """Whether torch should run where JAX does."""
    return jax.default_backend() == "gpu" and torch.cuda.is_available()


def arrays(result: Any, inputs: Any) -> list[np.ndarray]:
    """The arrays in the result, of JAX or of torch: what must agree."""
    del inputs
    return [to_numpy(leaf) for leaf in jax.tree.leaves(result)]


def to_numpy(a: Any) -> np.ndarray:
    """An array or a tensor, wherever it lies."""
    return a.detach().cpu().numpy() if hasattr(a, "detach") else np.asarray(a)


def masked(rate: float) -> Callable[[Any, Inputs], Sequence[Any]]:
    """The `answer` of dropout, whose masks differ from one to the other: what fraction was kept,
    and whether y and dx are x and dy, scaled, where the mask of y is."""

    def answer(result: Any, inputs: Inputs) -> Sequence[Any]:
        y, dx = map(to_numpy, result[:2])
        gain = (y != 0) / (1 - rate)
        errors = abs(y - gain * np.asarray(inputs.x)), abs(dx - gain * np.asarray(inputs.dy))
        return [(y != 0).mean(), *(1 + e.max() for e in errors)]

    return answer


def masked_weight(rate: float) -> Callable[[Any, Inputs], Sequence[Any]]:
    """The same of DropConnect, its mask that of dw."""

    def answer(result: Any, inputs: Inputs) -> Sequence[Any]:
        y, dx, dw, db = arrays(result, inputs)
        (w, b), x, dy = (jax.tree.map(np.asarray, a) for a in inputs[:3])
        gain = (dw != 0) / (1 - rate)
        wanted = x @ (gain * w) + b, dy @ (gain * w).T, gain * (x.T @ dy), dy.sum(0)
        pairs = zip((y, dx, dw, db), wanted, strict=True)
        return [(dw != 0).mean(), *(1 + abs(a - e).max() / abs(e).max() for a, e in pairs)]

    return answer
